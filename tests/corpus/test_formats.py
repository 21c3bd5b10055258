"""Formats, one by one: what they take, where records begin, and that what is wrong has its place."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmpipe.corpus.columns import Columns
from mmpipe.corpus.source import Item, Source, find_inputs
from mmpipe.errors import MmpipeError, NoInputError
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})
WRITERS = {spec.name: spec for spec in PLUGINS.all("writers")}
TYPED = ["parquet", "arrow"]
BAD = object()


def written(name: str, results: Sequence[dict[str, Any]], columns: Columns) -> bytes:
    stream = io.BytesIO()
    writer = PLUGINS.code("writers", name)(stream, columns)
    for result in results:
        writer.write(result)
    writer.close()
    assert not stream.closed
    return stream.getvalue()


def items(path: Path, **options: Any) -> list[Item]:
    (given,) = find_inputs([str(path)], PLUGINS, **options)
    return list(given)


def read_back(folder: Path, name: str, data: bytes, reader: str | None = None) -> list[dict[str, Any]]:
    path = folder / f"out{WRITERS[name].suffixes[0]}"
    path.write_bytes(data)
    found = items(path, reader=reader)
    assert all(item.error is None for item in found), found
    return [item.record for item in found]


def test_lines_of_text(tmp_path: Path) -> None:
    results = [{"text": "one\r\ntwo\u2028three\x0b"}, {"text": "four", "id": 1}, {"text": ""}, {"id": 2}]
    data = written("text", results, Columns(()))
    assert data == b"one two three \nfour\n\n\n"
    assert read_back(tmp_path, "text", data, "lines") == [{"text": "one two three "}, {"text": "four"}]


@pytest.mark.parametrize("name", [name for name in WRITERS if WRITERS[name].takes == "results"])
@pytest.mark.parametrize("wrong", [float("nan"), BAD, {"a": [BAD]}, "\ud800" + chr(0)])
def test_what_cannot_be_written_leaves_no_trace(name: str, wrong: Any, tmp_path: Path) -> None:
    good, columns = [{"text": "a", "x": "1"}, {"text": "b", "x": "2"}], Columns((("text", "string"), ("x", "json")))
    stream = io.BytesIO()
    writer = PLUGINS.code("writers", name)(stream, columns)
    writer.write(good[0])
    for key in ("text", "x", "y"):
        if wrong == "\ud800\0" and (name, key) != ("text", "text"):
            continue  # Half a surrogate pair only plain text cannot spell.
        if name == "text" and key != "text":
            continue
        with pytest.raises((ValueError, TypeError)):
            writer.write({"text": "c", "x": "3"} | {key: wrong})
    writer.write(good[1])
    writer.close()
    assert stream.getvalue() == written(name, good, columns)


@pytest.mark.parametrize("name", TYPED)
def test_many_rows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmpipe.corpus.arrow_writer.GROUP_ROWS", 1000)
    results = [{"id": str(number), "n": number} for number in range(2500)]
    data = written(name, results, Columns.of(results[:1], {}))
    path = tmp_path / f"out.{name}"
    path.write_bytes(data)
    found = items(path)
    assert [item.record for item in found] == results
    assert [item.offset for item in found] == list(range(2500))
    assert found[-1].origin == f"out.{name}:2500"
    pa = pytest.importorskip("pyarrow")
    n_groups = {
        "parquet": lambda: pa.parquet.ParquetFile(path).num_row_groups,
        "arrow": lambda: pa.ipc.open_file(path).num_record_batches,
    }
    assert n_groups[name]() == 3


@pytest.mark.parametrize("name", TYPED)
def test_a_run_that_broke_off_writes_nothing_later(name: str, recwarn: pytest.WarningsRecorder) -> None:
    stream = io.BytesIO()
    writer = PLUGINS.code("writers", name)(stream, Columns((("a", "int"),)))
    writer.write({"a": 1})
    stream.close()
    del writer
    assert not recwarn.list


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"", []),
        (b" \n", []),
        (b"[]", []),
        (b'\xef\xbb\xbf[{"a": 1}]', [{"a": 1}]),
        ('[{"a": "é😀"}]'.encode("utf-16"), [{"a": "é😀"}]),
        (b'[{"a": 1}, 2, [3], {"a": "\xff"}, {"a": 0.1}]', [{"a": 1}, BAD, BAD, BAD, {"a": 0.1}]),
        (b'[{"a": "\\ud800"}, {"\\uDFFF": "\\\\ud800 \\ud83d\\ude00"}]', [{"a": "\ud800"}, {"\udfff": "\\ud800 😀"}]),
        (b'[{"a": ' + b"9" * 30 + b', "b": 1E5}]', [{"a": int("9" * 30), "b": 1e5}]),
        (b'[{"a": ' + b"[" * 3000 + b"]" * 3000 + b"}, {}]", [BAD, {}]),
        (b'[{"a": 1}, {"a": NaN}, {"a": 2}]', [{"a": 1}, BAD]),
        (b'[{"a": 1}', [{"a": 1}, BAD]),
        (b'[{"a": 1}] [2]', [{"a": 1}, BAD]),
    ],
)
def test_json_arrays(content: bytes, records: list[Any], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    found = items(tmp_path / "a.json")
    assert [BAD if item.error else item.record for item in found] == records
    assert [item.offset for item in found] == list(range(len(records)))
    assert all(item.raw and item.error.where == item.origin and item.error.next_step for item in found if item.error)


def test_escapes_at_the_borders_of_blocks(tmp_path: Path) -> None:
    value = ["x" * n + "\ud800" + "\U0001f600" * 3 + "\\" * n for n in range(300)] * 3
    (tmp_path / "a.json").write_text(json.dumps([{"a": value}, {"b": value}]))
    assert [item.record for item in items(tmp_path / "a.json")] == [{"a": value}, {"b": value}]


@pytest.mark.parametrize("content", [b'{"item": {"a": 1}}', b'{"a": 1}\n{"a": 2}\n', b"5", b"text", b'"a"'])
def test_what_is_no_array(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(NoInputError, match="no JSON array"):
        items(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "a.spacy"])
@pytest.mark.parametrize("content", [b"", b"text", b"PAR1" + bytes(50), b"ARROW1" + bytes(50)], ids=range(4))
def test_what_is_no_such_file(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NoInputError, match=r"is no [\w ]+: [^\n]+\n  next"):
        items(tmp_path / name)


FALLBACKS = {
    "a.jsonl": (b'{"a": "\xe9"}\n{"a": "\xc3\xa9"}\n', "jsonl"),
    "a.csv": (b"a\n\xe9\n\xc3\xa9\n", "csv"),
    "b.txt": (b"\xe9\n\xc3\xa9\n", "lines"),
    "a.json": (b'[{"a": "\xe9"}, {"a": "\xc3\xa9"}]', "json"),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_fallback(name: str, tmp_path: Path) -> None:
    content, reader = FALLBACKS[name]
    (tmp_path / name).write_bytes(content)
    bad, good = items(tmp_path / name, reader=reader, text_key="a")
    assert bad.error is not None and "not UTF-8" in bad.error.what and good.record == {"a": "é"}
    found = items(tmp_path / name, reader=reader, text_key="a", fallback="cp1252")
    assert [item.record for item in found] == [{"a": "é"}, {"a": "é"}]
    assert [item.offset for item in found] == [bad.offset, good.offset]
    (tmp_path / name).write_bytes(content.replace(b"\xe9", b"\x81"))
    bad, _ = items(tmp_path / name, reader=reader, text_key="a", fallback="cp1252")
    assert bad.error is not None and "not UTF-8, and not cp1252" in bad.error.what


def test_fallback_of_whole_files_and_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    assert items(tmp_path / "a.txt", fallback="latin-1")[0].record == {"id": "a.txt", "text": "café"}
    with pytest.raises(MmpipeError, match="no encoding is called 'cp9'"):
        items(tmp_path / "a.txt", fallback="cp9")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("reader", "before", "first", "second"),
    [
        ("jsonl", "", '{"text": "é\u2028😀"}\r\n', '\r\n{"text": "b"}\n'),
        ("csv", "text\r\n", '"é\n😀"\r\n', "b"),
        ("lines", "\n", "é\u2028😀\r\n", "\nb\r\n"),
    ],
)
def test_offsets(reader: str, before: str, first: str, second: str, encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff".encode(encoding) if encoding.startswith("utf-16") else b""
    data = mark + (before + first + second).encode(encoding)
    (tmp_path / "a").write_bytes(data)
    one, two = items(tmp_path / "a", reader=reader)
    assert one.error is None and two.error is None and two.record == {"text": "b"}
    plain = encoding.removesuffix("-sig")
    assert data[one.offset :].decode(plain) == first + second
    assert data[two.offset :].decode(plain) == second.lstrip("\r\n")
    assert two.n_bytes == len(data)


def test_a_line_of_100_mb(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "' + b"a" * 100_000_000 + b'"}\n' + b"b" * 100_000_000 + b"\n{}\n")
    good, bad, last = items(path)
    assert len(good.record["text"]) == 100_000_000 and last.record == {} and last.offset == 200_000_014
    assert len(bad.raw) < 100_100 and bad.raw.endswith("[... 99,900,000 more characters were cut off]")


def test_readers_by_name_have_no_endings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n\ntwo")
    assert [item.origin for item in items(tmp_path / "a.txt", reader="lines")] == ["a.txt:1", "a.txt:3"]
    assert [item.record for item in items(tmp_path / "a.txt")] == [{"id": "a.txt", "text": "one\n\ntwo"}]
    (tmp_path / "a.xyz").touch()
    with pytest.raises(NoInputError) as caught:
        find_inputs([str(tmp_path / "a.xyz")], PLUGINS)
    assert "text (.txt, .md)" in str(caught.value) and "lines" not in str(caught.value)


def test_streams_for_formats_that_jump(tmp_path: Path) -> None:
    data = written("parquet", [{"a": 1}], Columns((("a", "int"),)))
    from mmpipe.corpus.packing import pack

    with (tmp_path / "a.parquet.gz").open("wb") as stream, pack(stream, "gz") as inner:
        inner.write(data)
    assert [item.record for item in items(tmp_path / "a.parquet.gz")] == [{"a": 1}]
    assert Source(None, "stdin", tmp_path).size == 0
