"""Parquet and Arrow IPC (.arrow, .feather), a record batch at a time.

What JSON has no kind for comes as what is nearest: dates and times as ISO 8601 strings, decimals as their digits,
bytes as base64, a NaN as null, a map as an object.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmpipe.corpus.arrow_values import METADATA, Value, from_arrow
from mmpipe.corpus.columns import Columns, as_json, unfold
from mmpipe.corpus.decoding import shown
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import NoInputError, RecordError

BATCH_ROWS = 512
"""Rows that are read at once."""


def read_parquet(source: Source) -> Iterator[Item]:
    """One item a row. Raises NoInputError where the file is no Parquet."""
    with source.open_seekable() as stream:
        with _named(source, "Parquet"):
            file = pq.ParquetFile(stream)
        batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
        yield from _items(source, file.schema_arrow, batches, file.metadata.num_rows)


def read_ipc(source: Source) -> Iterator[Item]:
    """One item a row, of the file format (.arrow, .feather) and the stream format. Raises as read_parquet."""
    with source.open_seekable() as stream:
        is_file = stream.read(6) == b"ARROW1"
        stream.seek(0)
        with _named(source, "Arrow IPC"):
            reader = pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
        yield from _items(source, reader.schema, (part for batch in batches for part in _parts(batch)))


@contextlib.contextmanager
def _named(source: Source, what: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        step = "check the file, or name another --reader"
        raise NoInputError(f"is no {what} file: {said[:300]}", where=source.name, next_step=step) from None


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(start, BATCH_ROWS) for start in range(0, batch.num_rows, BATCH_ROWS))


def _items(source: Source, schema: pa.Schema, batches: Iterator[pa.RecordBatch], n_rows: int = 0) -> Iterator[Item]:
    """n_rows: of the whole file, where it is known."""
    ours = dict(_columns_in(schema).pairs)
    values = {field.name: from_arrow(field.type, ours.get(field.name)) for field in schema}
    row = 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (pa.ArrowException, OSError, ValueError) as error:
            said = f"the file cannot be read from row {row + 1} on: {' '.join(str(error).split())[:300]}"
            origin = f"{source.name}:{row + 1}"
            problem = RecordError(said, where=origin, next_step="check the file, or write it again")
            yield Item(origin, error=problem, raw=said, offset=row)
            return
        for record, problem, raw in _rows(batch, values, f"{source.name}:", row):
            row += 1
            n_bytes = source.size * row // n_rows if n_rows else 0
            yield Item(f"{source.name}:{row}", record, problem, raw, n_bytes=n_bytes, offset=row - 1)


Row = tuple[dict[str, Any] | None, RecordError | None, str | None]


def _rows(batch: pa.RecordBatch, values: Mapping[str, Value], place: str, n_before: int) -> Iterator[Row]:
    """The rows as `Item` wants them. Where one cannot be converted, the others can."""
    try:
        batch.validate(full=True)  # Offsets that lead anywhere would end the process.
        rows = [_record(row, values) for row in batch.to_pylist()]
    except Exception:  # Arrow raises all kinds of them.
        if batch.num_rows == 1:
            yield None, *_problem(batch, values, f"{place}{n_before + 1}")
            return
        for index in range(batch.num_rows):
            yield from _rows(batch.slice(index, 1), values, place, n_before + index)
        return
    for row in rows:
        yield row, None, None


def _record(row: dict[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
    return unfold({name: value if (read := values[name]) is None else read(value) for name, value in row.items()})


def _problem(row: pa.RecordBatch, values: Mapping[str, Value], origin: str) -> tuple[RecordError, str]:
    readable, faults = {}, []
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            column.validate(full=True)
            readable |= _record({name: column[0].as_py()}, values)
            as_json(readable[name])
        except Exception as error:
            readable[name] = f"({type(error).__name__})"
            faults.append(f"{name!r}: {' '.join(str(error).split())[:200]}")
    step = "mend the column, or leave it out"
    return RecordError(f"cannot be read: {'; '.join(faults)}", where=origin, next_step=step), shown(as_json(readable))


def _columns_in(schema: pa.Schema) -> Columns:
    """The columns of what mmpipe wrote, which say what is JSON text; of other files none."""
    try:
        return Columns.from_dict(json.loads((schema.metadata or {})[METADATA]))
    except (KeyError, ValueError):
        return Columns(())
