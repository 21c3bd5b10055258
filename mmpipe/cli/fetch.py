"""`mmpipe models fetch`"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmpipe.cli.options import quiet

if TYPE_CHECKING:
    from mmpipe.models.reference import Reference


def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Models, or pipelines for every model that they name.")
    ],
    revision: Annotated[
        str | None, typer.Option(help="Of the models named: a commit hash, a branch or a tag of Hugging Face's.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down what was found: revisions, licences, SHA-256.")
    ] = None,
) -> None:
    """Bring models into the local cache, so that pipelines run without a network, and lock them.

    NAME is a model as a config names it (owner/model, mmpipe/qa-small, a folder), or a pipeline: a config file, a
    saved folder, a plugin's pipeline. `mmpipe run --locked FILE` then refuses any other model, revision or weights.
    """
    quiet()
    from mmpipe.corpus.durable import write_whole
    from mmpipe.models.licence import licence_of
    from mmpipe.models.lock import lock_of

    references = [reference for name in names for reference in _references(name, revision)]
    for reference in references:
        files = reference.fetch()
        size = sum(file.stat().st_size for file in files.folder.iterdir() if file.is_file())
        at = f"@{files.commit}" if files.commit else ""
        print(f"{files.name}{at}  {size / 1e6:.1f} MB  licence: {licence_of(files)}\n    {files.folder}")
    if lock is not None:
        content = lock_of(references, lock.absolute().parent)
        write_whole(lock, (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())
        print(f"{lock}: {len(content['models'])} models")


def _references(name: str, revision: str | None) -> list[Reference]:
    """The models that a name stands for: itself, or those of a pipeline of that name."""
    from mmpipe.config.spelling import SPELLINGS
    from mmpipe.models.reference import Reference
    from mmpipe.plugins import get_plugins

    path = Path(name)
    is_pipeline = path.suffix.lower() in SPELLINGS or (path / "config.cfg").is_file()
    if not is_pipeline and get_plugins().find("pipelines", name) is None:
        return [Reference(name, revision)]
    from mmpipe.component import TransformerPipe
    from mmpipe.loading import load
    from mmpipe.models.transformer import has_shim, shim_of

    nlp = load(name, weights=False)
    pipes = [pipe for _, pipe in nlp.components if isinstance(pipe, TransformerPipe) and has_shim(pipe.model)]
    found = [shim_of(pipe.model).checkpoint.reference for pipe in pipes]
    return list(dict.fromkeys(dataclasses.replace(reference, offline=False) for reference in found))
