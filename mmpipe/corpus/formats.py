"""Which writer answers to the ending of an output."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, BinaryIO

from mmpipe.corpus.packing import packed
from mmpipe.errors import MmpipeError
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import WriterSpec

USUAL = ".jsonl"


def ending_of(name: str, plugins: PluginRegistry) -> str:
    """The ending of a file name that a writer answers to, a packing's behind it included: `.jsonl.gz`.

    Raises MmpipeError where no writer does.
    """
    bare, _ = packed(name.lower())
    endings = [ending for spec in plugins.all("writers") for ending in spec.suffixes]
    found = max((ending for ending in endings if bare.endswith(ending)), key=len, default=None)
    if found is None:
        suffix = f".{bare.rpartition('.')[2]}" if "." in bare else bare
        raise MmpipeError(
            f"no writer answers to the ending {suffix!r}",
            where=name,
            next_step=nearest(suffix, endings, listing="endings to write"),
        )
    return found + name.lower()[len(bare) :]


def writer_of(ending: str, plugins: PluginRegistry) -> WriterSpec:
    """The writer of an ending that `ending_of` gave."""
    bare, _ = packed(ending)
    return next(spec for spec in plugins.all("writers") if bare in spec.suffixes)


def open_writer(function: Callable[..., Any], stream: BinaryIO, columns: Any) -> Any:
    """A writer around a stream. Writers that want no columns, and have nothing to close, may do without either."""
    wanted = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return function(stream) if len(wanted) == 1 else function(stream, columns)


def close_writer(writer: Any) -> None:
    if hasattr(writer, "close"):
        writer.close()
