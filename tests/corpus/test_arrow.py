"""Parquet and Arrow that others wrote: every kind of column has its JSON, and one bad row costs only itself."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmpipe.corpus.source import Item, find_inputs
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})
DAY = datetime.date(2024, 5, 1)
KINDS: list[tuple[pa.DataType, Any, Any]] = [
    (pa.int8(), 1, 1),
    (pa.uint64(), 2**64 - 1, 2**64 - 1),
    (pa.float32(), 0.5, 0.5),
    (pa.float64(), float("nan"), None),
    (pa.bool_(), True, True),
    (pa.large_string(), "é", "é"),
    (pa.binary(), b"\xff\x00", "/wA="),
    (pa.date32(), DAY, "2024-05-01"),
    (
        pa.timestamp("us", "UTC"),
        datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc),
        "2024-05-01T00:00:00+00:00",
    ),
    (pa.time64("us"), datetime.time(12, 30), "12:30:00"),
    (pa.duration("s"), datetime.timedelta(seconds=90), "0:01:30"),
    (pa.decimal128(10, 2), decimal.Decimal("12.50"), "12.50"),
    (pa.list_(pa.float64()), [1.0, None], [1.0, None]),
    (pa.list_(pa.date32(), 1), [DAY], ["2024-05-01"]),
    (pa.large_list(pa.struct([("d", pa.date32())])), [{"d": DAY}, None], [{"d": "2024-05-01"}, None]),
    (pa.map_(pa.string(), pa.int64()), [("a", 1)], {"a": 1}),
    (pa.map_(pa.int64(), pa.string()), [(1, "a")], [[1, "a"]]),
    (pa.struct([("a", pa.struct([("b", pa.list_(pa.string()))]))]), {"a": {"b": ["c"]}}, {"a": {"b": ["c"]}}),
    (pa.dictionary(pa.int8(), pa.string()), "a", "a"),
    (pa.null(), None, None),
]


def items(path: Path) -> list[Item]:
    (given,) = find_inputs([str(path)], PLUGINS)
    return list(given)


def store(table: pa.Table, path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        opened = pa.ipc.new_stream if path.name.startswith("stream") else pa.ipc.new_file
        with opened(path, table.schema) as file:
            file.write_table(table)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "stream.arrow"])
def test_every_kind(name: str, tmp_path: Path) -> None:
    arrays = [pa.array([value, None], kind) for kind, value, _ in KINDS]
    table = pa.table({f"c{number}": array for number, array in enumerate(arrays)})
    first, second = items(store(table, tmp_path / name))
    assert first.record == {f"c{number}": wanted for number, (_, _, wanted) in enumerate(KINDS)}
    assert second.record == dict.fromkeys(first.record)
    assert (first.origin, second.origin) == (f"{name}:1", f"{name}:2")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_bad_row_among_good_ones(name: str, tmp_path: Path) -> None:
    binary = pa.array([b"one", b"\xff", b"three"])
    text = pa.Array.from_buffers(pa.string(), 3, binary.buffers())
    found = items(store(pa.table({"id": [1, 2, 3], "text": text}), tmp_path / name))
    assert [item.record for item in found] == [{"id": 1, "text": "one"}, None, {"id": 3, "text": "three"}]
    bad = found[1]
    assert bad.origin == f"{name}:2" and bad.offset == 1 and "'text'" in bad.error.what and '"id": 2' in bad.raw


def test_offsets_that_lead_anywhere_cost_their_rows_and_not_the_process(tmp_path: Path) -> None:
    path = store(pa.table({"text": ["one", "two", "three", "four"]}), tmp_path / "a.arrow")
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 3, 6, 11, 15))
    data = path.read_bytes()
    assert data.count(offsets) == 1
    path.write_bytes(data.replace(offsets, offsets[:8] + b"\xff\xff\xff\x7f" + offsets[12:]))
    found = items(path)
    assert [item.record and item.record["text"] for item in found] == ["one", None, None, "four"]
    assert all("'text'" in item.error.what for item in found[1:3])


def test_a_file_that_is_damaged_further_on(tmp_path: Path) -> None:
    table = pa.table({"text": [f"some text, number {number}" for number in range(4000)]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 200] = bytes(200)
    path.write_bytes(data)
    *good, bad = items(path)
    assert good and len(good) <= 2000 and all(item.error is None for item in good)
    assert bad.error is not None and f"from row {len(good) + 1} on" in bad.error.what


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_tables_without_rows(name: str, tmp_path: Path) -> None:
    assert items(store(pa.table({"text": pa.array([], pa.string())}), tmp_path / name)) == []
