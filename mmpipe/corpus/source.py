"""Where records come from: files, folders, patterns and standard input, and the reader for each."""

from __future__ import annotations

import glob
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from mmpipe.corpus.decoding import check_encoding
from mmpipe.corpus.layout import SHARD, Layout
from mmpipe.corpus.packing import DamageError, packed, unpack
from mmpipe.corpus.private import withheld_errors
from mmpipe.errors import MmpipeError, NoInputError, RecordError
from mmpipe.names import nearest_path
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import ReaderSpec

STDIN = "-"


class Item(NamedTuple):
    """One record as it was read, or the error that stood in its place.

    origin: where it stood, such as `reviews.jsonl:17`; the id of a record that has none.
    record: the JSON object, None where `error` says why there is none.
    raw: what stood there, for the errors file, where it could not be parsed.
    n_bytes: how far into its source the reader is after it, for the progress bar.
    offset: where it begins: the byte of the unpacked stream, or in formats of rows the row, from 0.
    """

    origin: str
    record: dict[str, Any] | None = None
    error: RecordError | None = None
    raw: str | None = None
    n_bytes: int = 0
    offset: int | None = None

    @property
    def identified(self) -> dict[str, Any]:
        """The record with an id: its own, or where it stood."""
        record = self.record or {}
        return record if record.get("id") is not None else {**record, "id": self.origin}


@dataclass(frozen=True)
class Source:
    """One file, or standard input. A file whose name ends in .gz, .xz or .zst is unpacked as it is read.

    path: None for standard input. name: as origins show it. root: the folder that media paths are relative to.
    text_key: the key that the user said holds the text; readers of bare text write it.
    fallback: the encoding of text that is not UTF-8, such as "cp1252"; None makes it an item with an error.
    """

    path: Path | None
    name: str
    root: Path
    text_key: str = "text"
    fallback: str | None = None

    def open(self) -> BinaryIO:
        """Raises NoInputError where the file cannot be opened."""
        if self.path is None:
            return sys.stdin.buffer
        try:
            return unpack(self.path.open("rb"), self._packing)
        except OSError as error:
            raise NoInputError(
                f"cannot be opened: {error.strerror}", where=str(self.path), next_step="check its permissions"
            ) from None

    def open_seekable(self) -> BinaryIO:
        """The same for formats that are not read from front to back: what is no plain file goes to a temporary one."""
        stream = self.open()
        if self.path is not None and self._packing is None and stream.seekable():
            return stream
        spooled = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # The caller closes it.
        with stream:
            shutil.copyfileobj(stream, spooled)
        spooled.seek(0)
        return spooled

    @property
    def size(self) -> int:
        """In bytes; 0 where it is not known how many will be read: standard input and other streams, packed files."""
        is_plain = self.path is not None and self.path.is_file() and self._packing is None
        return cast(Path, self.path).stat().st_size if is_plain else 0

    @property
    def _packing(self) -> str | None:
        return packed(self.path.name)[1] if self.path is not None else None


@dataclass(frozen=True)
class Input:
    """A source and the reader's function that reads it.

    is_private: what it raises says nothing of what was read.
    """

    source: Source
    read: Callable[[Source], Iterable[Item]]
    is_private: bool = False

    def __iter__(self) -> Iterator[Item]:
        """Raises MmpipeError, naming source and record, where the reader itself fails.

        A packed file that is damaged behind its first record ends with an item that says so.
        """
        with withheld_errors(self.is_private):
            yield from self._items()

    def _items(self) -> Iterator[Item]:
        last = None
        try:
            for last in self.read(self.source):
                yield last
        except MmpipeError:
            raise
        except DamageError as error:
            step = "pack the file again, or fetch it again"
            if last is None:
                raise NoInputError(str(error), where=self.source.name, next_step=step) from None
            said = f"{error}; what stood behind {last.origin} cannot be read"
            origin = f"{self.source.name}:damaged"
            problem = RecordError(said, where=origin, next_step=step)
            yield Item(origin, error=problem, raw=said, n_bytes=last.n_bytes)
        except Exception as error:
            raise MmpipeError(
                f"the reader failed: {type(error).__name__}: {error}",
                where=f"after {last.origin}" if last else self.source.name,
                next_step="check the file, or name another --reader",
            ) from error


def find_inputs(
    inputs: Sequence[str],
    plugins: PluginRegistry,
    *,
    reader: str | None = None,
    text_key: str = "text",
    fallback: str | None = None,
) -> list[Input]:
    """The files behind what the user named, each with its reader, in a stable order.

    inputs: files, folders (every file below that a reader answers to), patterns, or "-".
    reader: the name of a reader, for all; by default a file's ending decides, and standard input is JSONL.
    text_key, fallback: see Source.
    Raises NoInputError, naming the input, where nothing is there or no reader answers to it; MmpipeError where there
    is no such encoding as `fallback`.
    """
    check_encoding(fallback)
    chosen = plugins.get("readers", reader) if reader else None
    pairs = [pair for name in inputs for pair in _find(name, plugins, chosen)]
    # Names become ids: files of one name are told apart by their whole path.
    names = Counter(source.name for source, _ in pairs)
    found = []
    for source, spec in pairs:
        name = str(source.path) if names[source.name] > 1 and source.path else source.name
        source = replace(source, name=name, text_key=text_key, fallback=fallback)
        found.append(Input(source, plugins.code("readers", spec.name)))
    return found


def _find(name: str, plugins: PluginRegistry, chosen: ReaderSpec | None) -> list[tuple[Source, ReaderSpec]]:
    if name == STDIN:
        return [(Source(None, "stdin", Path(".")), chosen or plugins.get("readers", "jsonl"))]
    path = Path(name)
    if _is(path, "is_dir"):
        files = sorted(f for f in path.rglob("*") if _is(f, "is_file") and not _is_hidden(f.relative_to(path)))
        if Layout(path).manifest in files:  # What a run wrote: its results, not what it says of itself.
            files = [file for file in files if file.parent == path and file.name.startswith(SHARD)]
        specs = _with_sidecars({file: chosen or _reader_of(file, plugins) for file in files})
        found = [(Source(f, f.relative_to(path).as_posix(), path), spec) for f, spec in specs.items() if spec]
        if not found:
            raise NoInputError(
                "the folder holds no file that a reader answers to", where=name, next_step=_endings(plugins)
            )
        return found
    files = [path] if _is(path, "exists") else sorted(f for f in _matches(name) if _is(f, "is_file"))
    if not files:
        siblings = [str(p) for p in path.parent.glob("*")] if _is(path.parent, "is_dir") else []
        hint = nearest_path(name, siblings, listing="beside it")
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
        found.append((Source(file, file.name, file.parent), spec))
    return found


def _with_sidecars(specs: dict[Path, ReaderSpec | None]) -> dict[Path, ReaderSpec | None]:
    """The same, with files that say more about others (ReaderSpec.sidecars) given to the reader of those."""
    folders: dict[str, tuple[ReaderSpec, set[Path]]] = {}
    for file, spec in specs.items():
        for name in spec.sidecars if spec else ():
            folders.setdefault(name, (spec, set()))[1].update(file.parents)
    given = {}
    for file, spec in specs.items():
        whose, above = folders.get(file.name, (spec, set()))
        given[file] = whose if file.parent in above else spec
    return given


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
    names = (name, packed(name)[0])  # A reader may answer to .gz itself.
    return next((spec for name in names for spec in plugins.all("readers") if name.endswith(spec.suffixes)), None)


def _endings(plugins: PluginRegistry) -> str:
    specs = [spec for spec in plugins.all("readers") if spec.suffixes]
    return "readers: " + "; ".join(f"{spec.name} ({', '.join(spec.suffixes)})" for spec in specs)
