"""Plain text: a file is a record."""

from __future__ import annotations

from collections.abc import Iterator

from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError


def read(source: Source) -> Iterator[Item]:
    """One item: the file's name as `id`, its text as UTF-8."""
    with source.open() as stream:
        data = stream.read()
    try:
        record = {"id": source.name, source.text_key: data.decode("utf-8-sig")}
        yield Item(source.name, record, n_bytes=len(data))
    except UnicodeDecodeError as error:
        problem = RecordError(
            f"not UTF-8: byte {data[error.start]:#04x} at offset {error.start}",
            where=source.name,
            next_step="convert the file to UTF-8",
        )
        yield Item(source.name, error=problem, raw=data.decode("utf-8", "backslashreplace"), n_bytes=len(data))
