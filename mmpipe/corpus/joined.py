"""A run into one file: shards in a folder beside it, joined when all are there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmpipe.corpus.durable import whole_file
from mmpipe.corpus.formats import USUAL, close_writer, ending_of, open_writer, writer_of
from mmpipe.corpus.layout import Layout
from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.packing import pack, packed
from mmpipe.errors import MmpipeError
from mmpipe.plugins import PluginRegistry


def layout_beside(output: Path, plugins: PluginRegistry) -> Layout:
    """Where the shards of a file stand until it is whole: `.out.jsonl.run/` beside it.

    The shards are lines, of which other formats are made in the end. Raises MmpipeError for a format of Docs, which
    cannot be joined.
    """
    spec = writer_of(ending_of(output.name, plugins), plugins)
    if spec.takes == "docs":
        raise MmpipeError(
            f"{spec.suffixes[0]} files cannot be joined into one",
            where=str(output),
            next_step=f"name a folder: -o {output.stem} --format {spec.suffixes[0]}",
        )
    return Layout(output.with_name(f".{output.name}.run"), USUAL)


def errors_path(output: Path) -> Path:
    """out.jsonl -> out.errors.jsonl"""
    return output.with_name(packed(output.name)[0].rpartition(".")[0] + ".errors.jsonl")


def join(manifest: Manifest, output: Path, plugins: PluginRegistry) -> None:
    """Write the file of a finished run from its shards, its quarantine beside it, and remove the shards."""
    layout, spec = manifest.layout, writer_of(ending_of(output.name, plugins), plugins)
    columns = None
    if manifest.columns is not None:
        from mmpipe.corpus.columns import Columns

        columns = Columns.from_dict(manifest.columns)
    files = [layout.shard(index) for index in sorted(manifest.shards)]
    with whole_file(output) as stream, pack(stream, packed(output.name)[1]) as inner:
        if spec.suffixes[0] == layout.ending:
            for file in files:
                with file.open("rb") as shard:
                    shutil.copyfileobj(shard, inner, 1 << 20)
        else:
            writer = open_writer(plugins.code("writers", spec.name), inner, columns)
            for result in _results(files):
                writer.write(result)
            close_writer(writer)
    errors = errors_path(output)
    if layout.quarantine.exists():
        with whole_file(errors) as stream, layout.quarantine.open("rb") as quarantine:
            shutil.copyfileobj(quarantine, stream, 1 << 20)
    else:
        errors.unlink(missing_ok=True)
    shutil.rmtree(layout.folder)


def _results(files: list[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open("rb") as stream:
            yield from map(json.loads, stream)
