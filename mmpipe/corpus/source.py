"""Where records come from: files, folders, patterns and standard input, and the reader for each."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mmpipe.errors import MmpipeError, RecordError
from mmpipe.names import nearest, resolve
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import ReaderSpec

STDIN = "-"


class NoInputError(MmpipeError):
    """There is nothing to read."""


@dataclass(frozen=True)
class Item:
    """One record as it was read, or the error that stood in its place.

    origin: where it stood, such as `reviews.jsonl:17`; the id of a record that has none.
    record: the JSON object, None where `error` says why there is none.
    raw: what stood there, for the errors file, where it could not be parsed.
    n_bytes: how far into its source the reader is after it, for the progress bar.
    """

    origin: str
    record: dict[str, Any] | None = None
    error: RecordError | None = None
    raw: str | None = None
    n_bytes: int = 0


@dataclass(frozen=True)
class Source:
    """One file, or standard input.

    path: None for standard input. name: as origins show it. root: the folder that media paths are relative to.
    text_key: the key that the user said holds the text; readers of bare text write it.
    """

    path: Path | None
    name: str
    root: Path
    text_key: str = "text"

    def open(self) -> BinaryIO:
        """Raises NoInputError where the file cannot be opened."""
        if self.path is None:
            return sys.stdin.buffer
        try:
            return self.path.open("rb")
        except OSError as error:
            raise NoInputError(f"cannot be opened: {error.strerror}", where=str(self.path)) from None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path is not None else 0


@dataclass(frozen=True)
class Input:
    """A source and the reader that it is read with."""

    source: Source
    reader: ReaderSpec

    def __iter__(self) -> Iterator[Item]:
        return iter(resolve(self.reader.function)(self.source))


def find_inputs(
    inputs: Sequence[str], plugins: PluginRegistry, *, reader: str | None = None, text_key: str = "text"
) -> list[Input]:
    """The files behind what the user named, each with its reader, in a stable order.

    inputs: files, folders (every file below that a reader answers to), patterns, or "-".
    reader: the name of a reader, for all; by default a file's ending decides, and standard input is JSONL.
    Raises NoInputError, naming the input, where nothing is there or no reader answers to it.
    """
    return [found for name in inputs for found in _find(name, plugins, reader, text_key)]


def _find(name: str, plugins: PluginRegistry, reader: str | None, text_key: str) -> Iterable[Input]:
    chosen: ReaderSpec | None = plugins.get("readers", reader) if reader else None
    if name == STDIN:
        return [Input(Source(None, "stdin", Path("."), text_key), chosen or plugins.get("readers", "jsonl"))]
    path = Path(name)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        pairs = [(file, chosen or _reader_of(file, plugins)) for file in files]
        found = [Input(Source(f, str(f.relative_to(path)), path, text_key), spec) for f, spec in pairs if spec]
        if not found:
            raise NoInputError(
                "the folder holds no file that a reader answers to", where=name, next_step=_endings(plugins)
            )
        return found
    files = [path] if path.is_file() else sorted(Path(p) for p in glob.glob(name, recursive=True) if Path(p).is_file())
    if not files:
        siblings = [str(p) for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NoInputError(f"no such file or folder: {name!r}", next_step=nearest(name, siblings, listing="beside it"))
    found = []
    for file in files:
        spec = chosen or _reader_of(file, plugins)
        if spec is None:
            raise NoInputError(
                f"no reader answers to the ending {file.suffix!r}",
                where=str(file),
                next_step=f"name one with --reader; {_endings(plugins)}",
            )
        found.append(Input(Source(file, file.name, file.parent, text_key), spec))
    return found


def _reader_of(file: Path, plugins: PluginRegistry) -> ReaderSpec | None:
    return next((spec for spec in plugins.all("readers") if file.name.lower().endswith(spec.suffixes)), None)


def _endings(plugins: PluginRegistry) -> str:
    return "readers: " + "; ".join(f"{spec.name} ({', '.join(spec.suffixes)})" for spec in plugins.all("readers"))
