"""Compression, both ways: .gz, .xz and .zst. Equal contents give equal bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import zstandard

SUFFIXES = {".gz": "gz", ".xz": "xz", ".zst": "zst"}
GZ_LEVEL, XZ_PRESET, ZST_LEVEL = 6, 6, 3
_ASKED_BYTES = 4096
"""Read of a .zst file at once: what so few bytes can unpack to (128 MiB at the very worst) fits memory."""
_BLOCK_BYTES = 1 << 16


class DamageError(OSError):
    """Packed bytes that cannot be unpacked: not what their name says, cut off, or damaged on the way."""


def packed(name: str) -> tuple[str, str | None]:
    """The name without its packing, and the packing: "a.jsonl.gz" -> ("a.jsonl", "gz"); ("a.jsonl", None)."""
    for suffix, packing in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], packing
    return name, None


@contextlib.contextmanager
def pack(stream: BinaryIO, packing: str | None) -> Iterator[BinaryIO]:
    """A stream that packs what is written to it into `stream`, which stays open.

    packing: as `packed` gives it; None writes to `stream` itself. Neither time nor name is written, so that equal
    contents give equal bytes. Where the block is left by an exception, the packed stream is not completed.
    """
    if packing is None:
        yield stream
        return
    packer = _packer(stream, packing)
    yield packer
    packer.close()


def unpack(stream: BinaryIO, packing: str | None) -> BinaryIO:
    """A stream of what `stream` unpacks to; closing it closes `stream`. Several packed streams in a row are one.

    packing: as `packed` gives it; None gives `stream` itself. Reading raises DamageError.
    """
    if packing is None:
        return stream
    return cast(BinaryIO, io.BufferedReader(_Unpacked(stream, packing), buffer_size=_BLOCK_BYTES))


def _packer(stream: BinaryIO, packing: str) -> Any:
    if packing == "gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=GZ_LEVEL, mtime=0)
    if packing == "xz":
        return lzma.LZMAFile(stream, "wb", preset=XZ_PRESET)
    compressor = zstandard.ZstdCompressor(level=ZST_LEVEL, write_checksum=True)
    return compressor.stream_writer(stream, closefd=False)


class _Unpacked(io.RawIOBase):
    """What a packed stream holds, with one kind of error for all that can be wrong with it."""

    def __init__(self, stream: BinaryIO, packing: str) -> None:
        self._stream, self._packing = stream, packing
        self._inner: Any = {"gz": _gz, "xz": lzma.LZMAFile, "zst": _Zst}[packing](stream)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise DamageError(f"the .{self._packing} data is damaged: {' '.join(str(error).split())}") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _gz(stream: BinaryIO) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=stream, mode="rb")


class _Zst:
    """Reads frames in a row. zstandard's own reader takes the end of a file in the middle of a frame for its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frame: Any = None
        self._unpacked = memoryview(b"")
        self._left = b""

    def read(self, size: int) -> bytes:
        while not self._unpacked:
            data = self._left or self._stream.read(_ASKED_BYTES)
            if not data:
                if self._frame is not None:
                    raise EOFError("it ends in the middle of a frame")
                return b""
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._unpacked = memoryview(self._frame.decompress(data))
            self._left = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        given, self._unpacked = self._unpacked[:size], self._unpacked[size:]
        return bytes(given)
