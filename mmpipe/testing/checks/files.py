"""A reader or a writer under examination: its function, and the files that it is tried on."""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from spacy.tokens import Doc

from mmpipe.corpus.columns import Columns
from mmpipe.corpus.formats import close_writer, open_writer
from mmpipe.corpus.packing import pack, packed
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import PluginError
from mmpipe.names import resolve
from mmpipe.plugins import get_plugins
from mmpipe.specs import ReaderSpec, WriterSpec

Reader = Callable[[Source], Iterable[Item]]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class CountedSource(Source):
    """A source that notes the streams that were opened on it."""

    opened: list[CountingStream] = field(default_factory=list)

    def open(self) -> BinaryIO:
        if self.path is not None and self._packing is None:
            self.opened.append(CountingStream(self.path.open("rb")))
            return io.BufferedReader(self.opened[-1], buffer_size=1 << 13)  # type: ignore[return-value]
        return super().open()


class CountingStream(io.RawIOBase):
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.n_read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.n_read += len(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


@dataclass(eq=False)
class ReaderSubject:
    """See mmpipe.testing.check_reader."""

    read: Reader
    encode: Callable[[Sequence[Record]], bytes]
    keys: tuple[str, ...]
    suffix: str
    is_single: bool = False
    broken: bytes | None = None
    folder: tempfile.TemporaryDirectory = field(default_factory=lambda: tempfile.TemporaryDirectory("-mmpipe-contract"))

    def source(self, content: bytes, name: str = "records", packing: str | None = None) -> CountedSource:
        """A file with this content. packing: pack it, and let its name say so."""
        root = Path(self.folder.name)
        path = root / f"{name}{self.suffix}{'.' + packing if packing else ''}"
        with path.open("wb") as stream, pack(stream, packing) as packer:  # type: ignore[arg-type]
            packer.write(content)
        return CountedSource(path, path.name, root)

    def items(self, content: bytes, name: str = "records", packing: str | None = None) -> list[Item]:
        return list(self.read(self.source(content, name, packing)))


@dataclass(eq=False)
class WriterSubject:
    """See mmpipe.testing.check_writer.

    foreign_reader: what answers to the ending of its files, where that is not known to be made for them.
    """

    spec: WriterSpec
    write: Callable[..., Any]
    results: Sequence[Any]
    columns: Columns
    keys: tuple[str, ...] | None
    reader: Reader | None
    foreign_reader: str | None = None
    folder: tempfile.TemporaryDirectory = field(default_factory=lambda: tempfile.TemporaryDirectory("-mmpipe-contract"))

    def fresh(self, n: int | None = None) -> list[Any]:
        """The first n results, all when None: copies, so that a writer that changes them harms no other check."""
        return [one if isinstance(one, Doc) else copy.deepcopy(one) for one in self.results[:n]]

    def open(self, stream: BinaryIO) -> Any:
        return open_writer(self.write, stream, self.columns)

    def written(self, results: Iterable[Any]) -> bytes:
        """The bytes of results."""
        stream = io.BytesIO()
        writer = self.open(stream)
        for result in results:
            writer.write(result)
        close_writer(writer)
        return stream.getvalue()

    def read_back(self, data: bytes) -> list[Item]:
        root = Path(self.folder.name)
        path = root / f"written{self.spec.suffixes[0] if self.spec.suffixes else ''}"
        path.write_bytes(data)
        return list(self.reader(Source(path, path.name, root))) if self.reader is not None else []


def reader_of(given: str | ReaderSpec | Reader) -> tuple[Reader, str]:
    """A reader's function and the ending of its files, "" where it has none."""
    if isinstance(given, str):
        spec = get_plugins().get("readers", given)
        return get_plugins().code("readers", given), (spec.suffixes or ("",))[0]
    if isinstance(given, ReaderSpec):
        return _resolved(given), (given.suffixes or ("",))[0]
    return given, ""


def writer_of(given: str | WriterSpec | Callable[..., Any]) -> tuple[WriterSpec, Callable[..., Any]]:
    if isinstance(given, str):
        return get_plugins().get("writers", given), get_plugins().code("writers", given)
    if isinstance(given, WriterSpec):
        return given, _resolved(given)
    return WriterSpec(getattr(given, "__name__", "writer"), "given:writer", ()), given


def reader_for(writer: WriterSpec) -> tuple[Reader | None, str | None]:
    """The reader that answers to a writer's endings, that of the same distribution before others.

    And what it is, where another distribution provides it.
    """
    plugins = get_plugins()
    makers = {plugin.distribution for plugin in plugins.plugins if writer.name in plugin.provides.get("writers", ())}
    found = {
        spec.name: plugins.find("readers", spec.name).plugin.distribution  # type: ignore[union-attr]
        for spec in plugins.all("readers")
        if any(packed(suffix)[0].endswith(spec.suffixes) for suffix in writer.suffixes if spec.suffixes)
    }
    for name in sorted(found, key=lambda name: found[name] not in makers)[:1]:
        return plugins.code("readers", name), None if found[name] in makers else f"{name!r} of {found[name]}"
    return None, None


def _resolved(spec: ReaderSpec | WriterSpec) -> Any:
    try:
        return resolve(spec.function)
    except Exception as error:
        raise PluginError(
            f"{spec.name!r} cannot be imported: {type(error).__name__}: {error}",
            where=spec.function,
            next_step='name it as "package.module:function"',
        ) from error
