"""Parquet and Arrow IPC, written a record batch at a time. Equal results give equal bytes under one pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mmpipe.corpus.arrow_values import METADATA, schema_of, to_arrow
from mmpipe.corpus.columns import MORE, Columns, as_json

GROUP_ROWS, GROUP_CHARS = 4096, 64 * 2**20
"""Rows that are written at once; fewer where they hold more text than that."""


class _Writer:
    """Gathers rows, and writes them as batches whose limits depend on the rows alone."""

    def __init__(self, stream: BinaryIO, columns: Columns) -> None:
        self.columns, self._stream = columns, stream
        self._values = [to_arrow(kind) for _, kind in columns.pairs]
        self.schema = schema_of([*columns.pairs, (MORE, "json")], {METADATA: as_json(columns.as_dict()).encode()})
        self._rows: list[list[Any]] = []
        self._n_chars = 0
        self._file = self._open(pa.PythonFile(_Sink(stream), mode="w"))

    def write(self, result: Mapping[str, Any]) -> None:
        """Raises ValueError or TypeError where a value is not JSON data; nothing is written then."""
        values, more = self.columns.split(result)
        rest = as_json(more) if more else None
        row = [
            value if make is None or value is None else make(value)
            for value, make in zip(values, self._values, strict=True)
        ]
        row.append(rest)
        self._rows.append(row)
        self._n_chars += sum(len(value) for value in row if isinstance(value, str))
        if len(self._rows) >= GROUP_ROWS or self._n_chars >= GROUP_CHARS:
            self._flush()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, self.schema, strict=True)]
        self._rows, self._n_chars = [], 0
        self._write_batch(pa.RecordBatch.from_arrays(arrays, schema=self.schema))

    def _open(self, sink: pa.PythonFile) -> Any:
        raise NotImplementedError

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        raise NotImplementedError


class ParquetWriter(_Writer):
    """Writes results as Parquet, a batch a row group."""

    def _open(self, sink: pa.PythonFile) -> Any:
        # Everything that decides about the bytes is said, so that another default of pyarrow's changes none.
        return pq.ParquetWriter(
            sink,
            self.schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            data_page_size=2**20,
            data_page_version="1.0",
            store_schema=True,
        )

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(batch, row_group_size=GROUP_ROWS)


class IpcWriter(_Writer):
    """Writes results as an Arrow IPC file, not compressed, so that it can be mapped into memory."""

    def _open(self, sink: pa.PythonFile) -> Any:
        return pa.ipc.new_file(sink, self.schema, options=pa.ipc.IpcWriteOptions(use_threads=False))

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(batch)


class _Sink:
    """A stream that pyarrow writes to. It never closes it, and where a run broke off, writes no footer to it later."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._n_bytes, self.closed = stream, 0, False

    def write(self, data: Any) -> int:
        if not self._stream.closed:
            self._stream.write(memoryview(data))
        self._n_bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self._n_bytes

    def flush(self) -> None:
        """The owner of the stream flushes it."""

    def close(self) -> None:
        self.closed = True
