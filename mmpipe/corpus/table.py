"""CSV and TSV: a header line, then a record a row; every value is a string."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator

from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError


class _Lines:
    """The decoded lines of a binary stream, counted. Bytes that are not UTF-8 become lone surrogates."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.n_bytes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self.n_bytes == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        self.n_bytes += len(line)
        return line.decode("utf-8", "surrogateescape")


def read(source: Source) -> Iterator[Item]:
    """One item a row; the delimiter is a tab in .tsv files, else the one of `,` and `;` that the header holds."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with source.open() as stream:
        lines = _Lines(stream)
        header_line = next(lines, "")
        rows = csv.reader(lines, delimiter=_delimiter(source, header_line))
        header = next(csv.reader([header_line], delimiter=_delimiter(source, header_line)), [])
        problem = _header_problem(header)
        if problem:
            yield Item(
                f"{source.name}:1",
                error=RecordError(problem, where=f"{source.name}:1"),
                raw=header_line.rstrip(),
            )
            return
        while True:
            origin = f"{source.name}:{rows.line_num + 2}"
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Item(origin, error=RecordError(f"not a CSV row: {error}", where=origin), n_bytes=lines.n_bytes)
                continue
            if row:
                yield _item(header, row, origin, lines.n_bytes)


def _item(header: list[str], row: list[str], origin: str, n_bytes: int) -> Item:
    raw = ",".join(row).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    problem = None
    if len(row) != len(header):
        problem = f"the row has {len(row)} fields, the header {len(header)}"
    elif any("\udc80" <= character <= "\udcff" for value in row for character in value):
        problem = "not UTF-8"
    if problem:
        error = RecordError(problem, where=origin, next_step="mend the row; values with delimiters need quotes")
        return Item(origin, error=error, raw=raw, n_bytes=n_bytes)
    return Item(origin, dict(zip(header, row, strict=True)), n_bytes=n_bytes)


def _delimiter(source: Source, header: str) -> str:
    if source.name.lower().endswith(".tsv"):
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _header_problem(header: list[str]) -> str | None:
    if not any(header):
        return "the table has no header line"
    twice = sorted({name for name in header if header.count(name) > 1})
    return f"the header names {', '.join(twice)} more than once" if twice else None
