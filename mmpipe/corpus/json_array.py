"""A JSON array of objects, read as a stream, whatever its length.

What is wrong with one record's values costs that record; where the array's own syntax breaks, what follows cannot be
read, and the last item says so.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

import ijson

from mmpipe.corpus.decoding import is_utf16, shown
from mmpipe.corpus.jsonl import encode, not_an_object
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import NoInputError, RecordError

if TYPE_CHECKING:
    from mmpipe.corpus.columns import Columns

_BLOCK_BYTES = 1 << 16
_END = object()
# The parsers take neither bytes that are not UTF-8 nor `\ud800` for what they are, and one of them makes a "?" of the
# latter. So both go through them as text: a noncharacter, the kind, four digits, another noncharacter.
_MARK = re.compile("\ufdd0([bu])([0-9a-f]{4})\ufdd1")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_ESCAPES = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_IN_ESCAPE = frozenset('\\uU/"bfnrtabcdefABCDEF0123456789')


def read(source: Source) -> Iterator[Item]:
    """One item an element; `offset` is its number, from 0. Raises NoInputError where the file is no JSON array."""
    with source.open() as stream:
        text = _Marked(stream)
        values = ijson.items(text, "item")
        for index in itertools.count():
            origin, value, error = f"{source.name}:{index + 1}", None, None
            try:
                value = next(values)
            except StopIteration:
                value = _END
            except (ijson.JSONError, UnicodeDecodeError) as caught:
                error = caught
            if text.begins not in ("[", ""):
                raise _no_array(source, text.begins)
            if value is _END or not text.begins:
                return
            if error is not None:
                yield _broken(origin, error, index, text.n_bytes)
                return
            yield _item(value, origin, source.fallback, index, text.n_bytes)


class _Marked:
    """What ijson reads: a stream as UTF-8, with marks for what is no text. begins: its first character; "" if none."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._decoder, self._held = stream, None, ""
        self.begins, self.n_bytes = "", 0

    def read(self, size: int) -> bytes:
        if size == 0:
            return b""
        text = ""
        while not text:
            block = self._stream.read(_BLOCK_BYTES)
            self.n_bytes += len(block)
            text = self._text(block)
            if not block:
                break
        self.begins = self.begins or text.lstrip()[:1]
        return text.encode("utf-8")

    def _text(self, block: bytes) -> str:
        if self._decoder is None:
            is_utf16_file = is_utf16(block)
            block = block.removeprefix(codecs.BOM_UTF8)
            self._decoder = codecs.getincrementaldecoder("utf-16" if is_utf16_file else "utf-8")(
                "replace" if is_utf16_file else "surrogateescape"
            )
        text = self._held + self._decoder.decode(block, final=not block)
        # An escape goes through whole: what may be the beginning of one waits for the next block.
        cut = len(text)
        while block and cut > max(0, len(text) - 4096) and text[cut - 1] in _IN_ESCAPE:
            cut -= 1
        text, self._held = (text[:cut], text[cut:]) if cut > len(text) - 4096 else (text, "")
        if "\\u" in text:
            text = _ESCAPES.sub(lambda m: f"\ufdd0u{m[1].lower()}\ufdd1" if m[1] else m[0], text)
        return text if text.isascii() else _BAD_BYTE.sub(lambda m: f"\ufdd0b{ord(m[0]):04x}\ufdd1", text)


def _item(value: Any, origin: str, fallback: str | None, index: int, n_bytes: int) -> Item:
    error = None
    try:
        record = _plain(value, fallback)
        if isinstance(record, dict):
            return Item(origin, record, n_bytes=n_bytes, offset=index)
        error = not_an_object(record, origin)
    except UnicodeDecodeError:
        said = f"not UTF-8{f', and not {fallback}' if fallback else ''}"
        error = RecordError(said, where=origin, next_step="convert the file to UTF-8")
    except RecursionError:
        error = RecordError("the JSON is nested too deeply", where=origin, next_step="flatten the record")
    return Item(origin, error=error, raw=_raw(value), n_bytes=n_bytes, offset=index)


def _plain(value: Any, fallback: str | None) -> Any:
    """Numbers as json.loads has them, and strings without marks. Raises UnicodeDecodeError."""
    if isinstance(value, str):
        return _unmarked(value, fallback) if "\ufdd0" in value else value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(item, fallback) for item in value]
    if isinstance(value, dict):
        return {_plain(key, fallback): _plain(item, fallback) for key, item in value.items()}
    return value


def _unmarked(text: str, fallback: str | None) -> str:
    """The string with what its marks stand for; where that is bytes, the whole of it read in `fallback`."""
    if any(mark[1] == "b" for mark in _MARK.finditer(text)):
        given = _MARK.sub(lambda m: chr(int(m[2], 16)) if m[1] == "b" else m[0], text)
        text = given.encode("utf-8", "surrogateescape").decode(fallback or "utf-8")
    return _MARK.sub(lambda m: chr(int(m[2], 16)) if m[1] == "u" else m[0], text)


def _raw(value: Any) -> str:
    try:
        return shown(_MARK.sub(lambda m: rf"\x{m[2][2:]}" if m[1] == "b" else rf"\u{m[2]}", _text_of(value)))
    except RecursionError:
        return f"{type(value).__name__} that is nested too deeply to show"


def _text_of(value: Any) -> str:
    return encode(_decimals_shown(value)).decode("utf-8")


def _decimals_shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_decimals_shown(item) for item in value]
    return {key: _decimals_shown(item) for key, item in value.items()} if isinstance(value, dict) else value


def _broken(origin: str, error: Exception, index: int, n_bytes: int) -> Item:
    said = " ".join(str(error).split())
    problem = RecordError(
        f"the array cannot be read from its record {index + 1} on, nor anything behind it: {said[:300]}",
        where=origin,
        next_step="mend the JSON; files of one JSON object a line (.jsonl) lose only the line that is wrong",
    )
    return Item(origin, error=problem, raw=shown(said), n_bytes=n_bytes, offset=index)


def _no_array(source: Source, begins: str) -> NoInputError:
    hint = "read JSON lines with --reader jsonl" if begins == "{" else 'a file of records is [{"text": "..."}, ...]'
    return NoInputError(f"is no JSON array: it begins with {begins!r}", where=source.name, next_step=hint)


class Writer:
    """Writes results as one JSON array, a result a line. Columns do not matter."""

    def __init__(self, stream: BinaryIO, columns: Columns | None = None) -> None:
        self.stream = stream
        self._before = b"[\n"

    def write(self, result: Mapping[str, Any]) -> None:
        """Raises ValueError or TypeError where a value is not JSON data; nothing is written then."""
        self.stream.write(self._before + encode(result))
        self._before = b",\n"

    def close(self) -> None:
        self.stream.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")
