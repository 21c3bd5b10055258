"""From bytes to text: UTF-8 with or without a byte order mark, UTF-16 with one, and a fallback that the user states."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from mmpipe.errors import MmpipeError, RecordError

MAX_RAW_CHARS = 100_000
"""Characters of what could not be read that are kept, to show what stood there."""
_BLOCK_BYTES = 1 << 16


class Line(NamedTuple):
    """One line, with its line break.

    number: from 1. offset: the byte of the stream at which it begins. end: that at which the next one does.
    data: its bytes; of a stream in UTF-16, as UTF-8. text: None where the bytes are no text.
    """

    number: int
    offset: int
    end: int
    data: bytes
    text: str | None


def lines(stream: BinaryIO, fallback: str | None = None) -> Iterator[Line]:
    """The lines of a stream, which end with a line feed.

    fallback: the encoding of lines that are not UTF-8, such as "cp1252"; None leaves their text None.
    """
    first = stream.readline()
    if is_utf16(first):
        yield from _utf16_lines(first, stream)
        return
    offset = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
    for number, data in enumerate(itertools.chain([first[offset:]], stream), start=1):
        end = offset + len(data)
        try:
            text: str | None = data.decode("utf-8")
        except UnicodeDecodeError:
            text = decode(data, fallback)
        if data:
            yield Line(number, offset, end, data, text)
        offset = end


def decode(data: bytes, fallback: str | None = None) -> str | None:
    """The text of bytes without a byte order mark; None where they are neither UTF-8 nor in `fallback`."""
    for encoding in ("utf-8", fallback):
        try:
            return data.decode(encoding) if encoding else None
        except UnicodeDecodeError:
            continue
    return None


def decode_file(data: bytes, fallback: str | None = None) -> str | None:
    """The same of a whole file's bytes, with or without a byte order mark."""
    if is_utf16(data):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    return decode(data.removeprefix(codecs.BOM_UTF8), fallback)


def not_text(data: bytes, where: str, fallback: str | None = None) -> RecordError:
    """The error of bytes that `decode` gives no text for."""
    position, byte = 0, data[0] if data else 0
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        position, byte = error.start, data[error.start]
    return RecordError(
        f"not UTF-8{f', and not {fallback}' if fallback else ''}: byte {byte:#04x}, at byte {position + 1} of it",
        where=where,
        next_step="convert the file to UTF-8" + ("" if fallback else ", or name the encoding to fall back to"),
    )


def shown(data: bytes | str) -> str:
    """What stood there, for `Item.raw`: bytes that are not UTF-8 escaped, the line break left out, cut where long."""
    text = data if isinstance(data, str) else data.decode("utf-8", "backslashreplace")
    text = text.rstrip("\r\n")
    n_cut = len(text) - MAX_RAW_CHARS
    return text if n_cut <= 0 else f"{text[:MAX_RAW_CHARS]} [... {n_cut:,} more characters were cut off]"


def check_encoding(name: str | None) -> None:
    """Raises MmpipeError where Python knows no text encoding of that name."""
    try:
        # Not of nothing, for which Python looks up no name. Codecs such as "base64" are refused too.
        b" ".decode(name or "utf-8", "replace")
    except LookupError:
        raise MmpipeError(
            f"no encoding is called {name!r}", next_step="name one such as cp1252, latin-1, gb18030 or shift_jis"
        ) from None


def is_utf16(data: bytes) -> bool:
    """Whether they begin with the byte order mark of UTF-16."""
    # UTF-32 begins with the same two bytes, and two zeros.
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and data[2:4] != b"\0\0"


def _utf16_lines(first: bytes, stream: BinaryIO) -> Iterator[Line]:
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    offset, number, begun = len(codecs.BOM_UTF16_LE), 0, ""
    blocks = itertools.chain([first], iter(lambda: stream.read(_BLOCK_BYTES), b""), [b""])
    for block in blocks:
        try:
            # Half a surrogate pair, which UTF-8 cannot hold, stands for what is cut off.
            begun += decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            begun += "\ud800"
        found = begun.split("\n")
        begun = found.pop() if block else ""
        for line in found:
            text = line + "\n" if block else line
            if not text:
                continue
            number, end = number + 1, offset + len(text.encode("utf-16-le", "surrogatepass"))
            data = text.encode("utf-8", "surrogatepass")
            yield Line(number, offset, end, data, decode(data))
            offset = end
