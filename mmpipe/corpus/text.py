"""Plain text: a file is a record, or a line is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from mmpipe.corpus.decoding import decode_file, lines, not_text, shown
from mmpipe.corpus.source import Item, Source

if TYPE_CHECKING:
    from mmpipe.corpus.columns import Columns

# What str.splitlines takes for the end of a line.
_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def read(source: Source) -> Iterator[Item]:
    """One item: the file's name as `id`, and its text."""
    with source.open() as stream:
        data = stream.read()
    text = decode_file(data, source.fallback)
    if text is None:
        problem = not_text(data, source.name, source.fallback)
        yield Item(source.name, error=problem, raw=shown(data), n_bytes=len(data), offset=0)
    else:
        yield Item(source.name, {"id": source.name, source.text_key: text}, n_bytes=len(data), offset=0)


def read_lines(source: Source) -> Iterator[Item]:
    """One item a line that is not blank: its text, without the line break."""
    with source.open() as stream:
        for line in lines(stream, source.fallback):
            if not line.data.strip():
                continue
            origin = f"{source.name}:{line.number}"
            if line.text is None:
                problem, raw = not_text(line.data, origin, source.fallback), shown(line.data)
                yield Item(origin, error=problem, raw=raw, n_bytes=line.end, offset=line.offset)
            else:
                record = {source.text_key: line.text.rstrip("\r\n")}
                yield Item(origin, record, n_bytes=line.end, offset=line.offset)


class Writer:
    """Writes one line a result: its `text`, with line breaks made spaces; empty where it has none."""

    def __init__(self, stream: BinaryIO, columns: Columns | None = None) -> None:
        self.stream = stream

    def write(self, result: Mapping[str, Any]) -> None:
        """Raises ValueError where the text holds half a surrogate pair, TypeError where it is no string."""
        text = result.get("text")
        if not isinstance(text, str | None):
            raise TypeError(f"'text' must be a string, got {type(text).__name__}")
        self.stream.write(_BREAK.sub(" ", text or "").encode("utf-8") + b"\n")

    def close(self) -> None:
        """Nothing is left to write."""
