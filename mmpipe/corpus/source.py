"""Where records come from: files, folders, patterns and standard input, and the reader for each."""

from __future__ import annotations

import glob
import gzip
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmpipe.errors import MmpipeError, NoInputError, RecordError
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import ReaderSpec

STDIN = "-"
_PACKED = ".gz"


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
    """One file, or standard input. A file whose name ends in .gz is unpacked as it is read.

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
            return cast(BinaryIO, gzip.open(self.path)) if self._is_packed else self.path.open("rb")
        except OSError as error:
            raise NoInputError(
                f"cannot be opened: {error.strerror}", where=str(self.path), next_step="check its permissions"
            ) from None

    @property
    def size(self) -> int:
        """In bytes; 0 where it is not known how many will be read: standard input and other streams, packed files."""
        is_plain = self.path is not None and self.path.is_file() and not self._is_packed
        return cast(Path, self.path).stat().st_size if is_plain else 0

    @property
    def _is_packed(self) -> bool:
        return self.path is not None and self.path.name.lower().endswith(_PACKED)


@dataclass(frozen=True)
class Input:
    """A source and the reader's function that reads it."""

    source: Source
    read: Callable[[Source], Iterable[Item]]

    def __iter__(self) -> Iterator[Item]:
        """Raises MmpipeError, naming source and record, where the reader itself fails."""
        last = None
        try:
            for last in self.read(self.source):
                yield last
        except MmpipeError:
            raise
        except Exception as error:
            raise MmpipeError(
                f"the reader failed: {type(error).__name__}: {error}",
                where=f"after {last.origin}" if last else self.source.name,
                next_step="check the file, or name another --reader",
            ) from error


def find_inputs(
    inputs: Sequence[str], plugins: PluginRegistry, *, reader: str | None = None, text_key: str = "text"
) -> list[Input]:
    """The files behind what the user named, each with its reader, in a stable order.

    inputs: files, folders (every file below that a reader answers to), patterns, or "-".
    reader: the name of a reader, for all; by default a file's ending decides, and standard input is JSONL.
    Raises NoInputError, naming the input, where nothing is there or no reader answers to it.
    """
    chosen = plugins.get("readers", reader) if reader else None
    pairs = [pair for name in inputs for pair in _find(name, plugins, chosen, text_key)]
    # Names become ids: files of one name are told apart by their whole path.
    names = Counter(source.name for source, _ in pairs)
    return [
        Input(
            replace(source, name=str(source.path)) if names[source.name] > 1 and source.path else source,
            plugins.code("readers", spec.name),
        )
        for source, spec in pairs
    ]


def _find(
    name: str, plugins: PluginRegistry, chosen: ReaderSpec | None, text_key: str
) -> list[tuple[Source, ReaderSpec]]:
    if name == STDIN:
        return [(Source(None, "stdin", Path("."), text_key), chosen or plugins.get("readers", "jsonl"))]
    path = Path(name)
    if _is(path, "is_dir"):
        files = sorted(f for f in path.rglob("*") if _is(f, "is_file") and not _is_hidden(f.relative_to(path)))
        readers = [(file, chosen or _reader_of(file, plugins)) for file in files]
        found = [(Source(f, f.relative_to(path).as_posix(), path, text_key), spec) for f, spec in readers if spec]
        if not found:
            raise NoInputError(
                "the folder holds no file that a reader answers to", where=name, next_step=_endings(plugins)
            )
        return found
    files = [path] if _is(path, "exists") else sorted(f for f in _matches(name) if _is(f, "is_file"))
    if not files:
        siblings = [str(p) for p in path.parent.glob("*")] if _is(path.parent, "is_dir") else []
        hint = nearest(name, siblings, listing="beside it")
        raise NoInputError("no such file or folder", where=name[:200], next_step=hint)
    found = []
    for file in files:
        spec = chosen or _reader_of(file, plugins)
        if spec is None:
            raise NoInputError(
                f"no reader answers to the ending {file.suffix!r}",
                where=str(file),
                next_step=f"name one with --reader; {_endings(plugins)}",
            )
        found.append((Source(file, file.name, file.parent, text_key), spec))
    return found


def _is(path: Path, what: str) -> bool:
    """`path.exists()`, `.is_dir()` or `.is_file()`; False where the name is too long or may not be looked at."""
    try:
        return getattr(path, what)()
    except (OSError, ValueError):
        return False


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _matches(pattern: str) -> list[Path]:
    try:
        return [Path(name) for name in glob.glob(pattern, recursive=True)]
    except (OSError, ValueError, re.error):
        return []


def _reader_of(file: Path, plugins: PluginRegistry) -> ReaderSpec | None:
    name = file.name.lower()
    names = (name, name.removesuffix(_PACKED))  # A reader may answer to .gz itself.
    return next((spec for name in names for spec in plugins.all("readers") if name.endswith(spec.suffixes)), None)


def _endings(plugins: PluginRegistry) -> str:
    return "readers: " + "; ".join(f"{spec.name} ({', '.join(spec.suffixes)})" for spec in plugins.all("readers"))
