"""CSV and TSV: a header line, then a record a row; every value is a string."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterable, Iterator

from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError

_MEND = "mend the row; values with delimiters, quotes or line breaks need quotes around them"


class _Lines:
    """The decoded lines of a binary stream. Bytes that are not UTF-8 become lone surrogates.

    n_bytes: read so far. taken: the lines since `taken` was last emptied.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.n_bytes = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self.n_bytes == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        self.n_bytes += len(line)
        self.taken.append(line.decode("utf-8", "surrogateescape"))
        return self.taken[-1]

    def raw(self) -> str:
        """What was taken, as it stands, for the errors file."""
        data = "".join(self.taken).encode("utf-8", "surrogateescape")
        return data.decode("utf-8", "backslashreplace").rstrip("\r\n")


def read(source: Source) -> Iterator[Item]:
    """One item a row; the delimiter is a tab in .tsv files, else the one of `,` and `;` that the header holds."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with source.open() as stream:
        lines = _Lines(stream)
        first = next(lines, "")
        # Strict: what is quoted wrongly is a failure to report, not a value to guess.
        rows = csv.reader(itertools.chain([first], lines), delimiter=_delimiter(source, first), strict=True)
        header: list[str] | None = None
        while True:
            origin = f"{source.name}:{rows.line_num + 1}"
            try:
                row, problem = next(rows), None
            except StopIteration:
                return
            except csv.Error as error:
                row, problem = [], _told(error)
            raw, lines.taken = lines.raw(), []
            if header is None:
                problem = problem or _header_problem(row)
                if problem and raw:
                    mend = "the first line names the columns, each once, in UTF-8"
                    yield _failed(problem, mend, origin, raw, source.size)
                if problem:
                    return
                header = row
            elif row or problem:
                problem = problem or _row_problem(row, header)
                if problem:
                    yield _failed(problem, _MEND, origin, raw, lines.n_bytes)
                else:
                    yield Item(origin, dict(zip(header, row, strict=True)), n_bytes=lines.n_bytes)


def _failed(problem: str, mend: str, origin: str, raw: str, n_bytes: int) -> Item:
    error = RecordError(problem, where=origin, next_step=mend)
    return Item(origin, error=error, raw=raw, n_bytes=n_bytes)


def _told(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote is never closed, and holds everything up to the end of the file"
    return f"not a CSV row: {error}"


def _delimiter(source: Source, header: str) -> str:
    if source.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _header_problem(header: list[str]) -> str | None:
    if not any(header):
        return "the table has no header line"
    if not _is_utf8(header):
        return "the header is not UTF-8"
    if not all(header):
        return f"column {header.index('') + 1} of the header has no name"
    twice = sorted({name for name in header if header.count(name) > 1})
    return f"the header names {', '.join(twice)} more than once" if twice else None


def _row_problem(row: list[str], header: list[str]) -> str | None:
    if not _is_utf8(row):
        return "not UTF-8"
    return f"the row has {len(row)} fields, the header {len(header)}" if len(row) != len(header) else None


def _is_utf8(values: list[str]) -> bool:
    return not any("\udc80" <= character <= "\udcff" for value in values for character in value)
