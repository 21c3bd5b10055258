"""CSV and TSV: a header line, then a record a row; every value is a string.

What mmpipe writes ends with a column `_more`, JSON of what found no place in the others; reading folds it back.
Values that are no strings stand as JSON and come back as that text; null, and a key that is not there, come back as
an empty string.
"""

from __future__ import annotations

import csv
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from mmpipe.corpus.columns import MORE, Columns, as_json, unfold
from mmpipe.corpus.decoding import lines, shown
from mmpipe.corpus.packing import packed
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError

MAX_FIELD_CHARS = 256 * 2**20
"""Of one field. A quote that is never closed takes no more of the file than that with it."""
_MEND = "mend the row; values with delimiters, quotes or line breaks need quotes around them"


class _Lines:
    """The lines of a binary stream as text. Bytes that are none become lone surrogates.

    n_bytes: read so far. taken: the lines since `taken` was last emptied, and `offset` where they begin.
    """

    def __init__(self, stream: BinaryIO, fallback: str | None) -> None:
        self._lines = lines(stream, fallback)
        self.not_text = f"not UTF-8, and not {fallback}" if fallback else "not UTF-8"
        self.n_bytes = self.offset = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if not self.taken:
            self.offset = line.offset
        self.n_bytes = line.end
        self.taken.append(line.data.decode("utf-8", "surrogateescape") if line.text is None else line.text)
        return self.taken[-1]

    def raw(self) -> str:
        """What was taken, as it stands, for the errors file."""
        return shown("".join(self.taken).encode("utf-8", "surrogateescape"))


def read(source: Source) -> Iterator[Item]:
    """One item a row; the delimiter is a tab in .tsv files, else the one of `,` and `;` that the header holds."""
    csv.field_size_limit(min(sys.maxsize, MAX_FIELD_CHARS))
    with source.open() as stream:
        taken = _Lines(stream, source.fallback)
        first = next(taken, "")
        # Strict: what is quoted wrongly is a failure to report, not a value to guess.
        rows = csv.reader(itertools.chain([first], taken), delimiter=_delimiter(source, first), strict=True)
        header: list[str] | None = None
        while True:
            origin = f"{source.name}:{rows.line_num + 1}"
            try:
                row, problem = next(rows), None
            except StopIteration:
                return
            except csv.Error as error:
                row, problem = [], _told(error)
            if header is None:
                problem = problem or _header_problem(row)
                if problem and taken.taken:
                    mend = "the first line names the columns, each once, in UTF-8"
                    yield _failed(problem, mend, origin, taken, source.size)
                if problem:
                    return
                header = row
            elif row or problem:
                problem = problem or _row_problem(row, header, taken.not_text)
                if problem:
                    yield _failed(problem, _MEND, origin, taken, taken.n_bytes)
                else:
                    record = unfold(dict(zip(header, row, strict=True)))
                    yield Item(origin, record, n_bytes=taken.n_bytes, offset=taken.offset)
            taken.taken = []


def _failed(problem: str, mend: str, origin: str, taken: _Lines, n_bytes: int) -> Item:
    error = RecordError(problem, where=origin, next_step=mend)
    return Item(origin, error=error, raw=taken.raw(), n_bytes=n_bytes, offset=taken.offset)


def _told(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote is never closed, and holds everything up to the end of the file"
    if "field larger" in str(error):
        return f"a field has more than {MAX_FIELD_CHARS:,} characters; a quote may never be closed"
    return f"not a CSV row: {error}"


def _delimiter(source: Source, header: str) -> str:
    if packed(source.name)[0].lower().endswith(".tsv"):
        return "\t"
    bare = re.sub('"[^"]*"', "", header)
    return ";" if bare.count(";") > bare.count(",") else ","


def _header_problem(header: list[str]) -> str | None:
    if not any(header):
        return "the table has no header line"
    if not _is_utf8(header):
        return "the header is not UTF-8"
    if any("\0" in name for name in header):
        return "the header holds NUL characters: it is no text, or UTF-16 without a byte order mark"
    if not all(header):
        return f"column {header.index('') + 1} of the header has no name"
    twice = sorted({name for name in header if header.count(name) > 1})
    return f"the header names {', '.join(twice)} more than once" if twice else None


def _row_problem(row: list[str], header: list[str], not_text: str) -> str | None:
    if not _is_utf8(row):
        return not_text
    return f"the row has {len(row)} fields, the header {len(header)}" if len(row) != len(header) else None


def _is_utf8(values: list[str]) -> bool:
    return all(value.isascii() or not any("\udc80" <= one <= "\udcff" for one in value) for value in values)


class CsvWriter:
    """Writes results as rows, after a header line that names the columns and `_more`."""

    delimiter = ","

    def __init__(self, stream: BinaryIO, columns: Columns) -> None:
        self.stream, self.columns = stream, columns
        self._write([*columns.names, MORE])

    def write(self, result: Mapping[str, Any]) -> None:
        """Raises ValueError or TypeError where a value is not JSON data; nothing is written then."""
        values, more = self.columns.split(result)
        cells = []
        for (name, kind), value in zip(self.columns.pairs, values, strict=True):
            is_bare = isinstance(value, str) and kind != "json"
            # Not every version of Python reads a NUL in a table.
            if is_bare and "\0" in value:
                more[name] = value
                value = None
            cells.append("" if value is None else value if is_bare else as_json(value))
        self._write([*cells, as_json(more) if more else ""])

    def close(self) -> None:
        """Nothing is left to write."""

    def _write(self, cells: list[str]) -> None:
        # A row of one empty cell would be a blank line, which is no row.
        row = self.delimiter.join(map(self._quoted, cells)) if len(cells) > 1 else self._quote(cells[0])
        self.stream.write(row.encode("utf-8") + b"\n")

    def _quoted(self, cell: str) -> str:
        is_plain = not any(mark in cell for mark in (self.delimiter, '"', "\n", "\r", ";", "\ufeff"))
        return cell if is_plain else self._quote(cell)

    @staticmethod
    def _quote(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'


class TsvWriter(CsvWriter):
    """The same with tabs."""

    delimiter = "\t"
