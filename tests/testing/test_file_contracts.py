"""The built-in readers and writers keep their contracts, and faulty ones are told what they break."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pytest
import spacy
from spacy.tokens import DocBin

import mmpipe
from mmpipe.corpus.columns import Columns
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError
from mmpipe.plugins import get_plugins
from mmpipe.testing import READER_CHECKS, ContractError, check_reader, check_writer

Records = Sequence[Mapping[str, Any]]


def json_lines(records: Records) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def json_array(records: Records) -> bytes:
    return json.dumps(list(records)).encode()


def table(records: Records) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["id", "text"])
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue().encode()


def plain_lines(records: Records) -> bytes:
    return "".join(f"{record['text']}\n" for record in records).encode()


def whole(records: Records) -> bytes:
    return str(records[0]["text"]).encode()


def parquet(records: Records) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    schema = pa.schema({"id": pa.string(), "text": pa.string()})
    pq.write_table(pa.Table.from_pylist(list(records), schema=schema), stream)
    return stream.getvalue()


def arrow(records: Records) -> bytes:
    import pyarrow as pa

    stream = io.BytesIO()
    schema = pa.schema({"id": pa.string(), "text": pa.string()})
    with pa.ipc.new_file(stream, schema) as writer:
        for start in range(0, len(records), 1000):
            writer.write_table(pa.Table.from_pylist(list(records[start : start + 1000]), schema=schema))
    return stream.getvalue()


def docbin(records: Records) -> bytes:
    nlp = spacy.blank("en")
    return DocBin(store_user_data=True, docs=mmpipe.make_docs(nlp, records)).to_bytes()


@pytest.mark.parametrize(
    ("name", "encode", "options"),
    [
        ("jsonl", json_lines, {"broken": b'{"id": 1}\n{"id": \n{"id": 3}\n'}),
        ("json", json_array, {"broken": b'[{"id": 1}, 2, {"id": 3}]'}),
        ("csv", table, {"broken": b"id,text\n1,a\n2\n3,c\n"}),
        ("lines", plain_lines, {"broken": b"a\n\xff\nc\n", "keys": ["text"], "suffix": ".txt"}),
        ("text", whole, {"broken": b"\xff", "keys": ["text"], "is_single": True}),
        ("parquet", parquet, {"skip": ["lazy"]}),
        ("arrow", arrow, {}),
        # A DocBin is one piece.
        ("docbin", docbin, {"skip": ["lazy"]}),
    ],
)
def test_built_in_reader(name: str, encode: Callable[[Records], bytes], options: dict[str, Any]) -> None:
    report = check_reader(name, encode, **options)
    wanted = {*READER_CHECKS} - {*options.get("skip", ())}
    wanted -= {"broken-record"} if "broken" not in options else set()
    wanted -= {"lazy"} if options.get("is_single") else set()
    assert {*report.passed} == wanted


@pytest.mark.parametrize("name", [spec.name for spec in get_plugins().all("writers") if spec.function[:6] == "mmpipe"])
def test_built_in_writer(name: str) -> None:
    options = {"text": {"keys": ["text"], "reader": "lines"}}.get(name, {})
    if name == "text":  # A line is a record: what breaks lines comes back as spaces, blank lines not at all.
        options["results"] = [{"id": str(i), "text": text} for i, text in enumerate(("a soup", "日本語 😀", "x" * 999))]
    report = check_writer(name, **options)
    assert {"writes", "equal-bytes", "leaves-open", "round-trip", "no-results"} <= {*report.passed}


class Faulty:
    """Readers of JSON lines that each break one promise."""

    @staticmethod
    def good(source: Source) -> Iterator[Item]:
        with source.open() as stream:
            yield from Faulty.items(source, stream)

    @staticmethod
    def items(source: Source, stream: Iterable[bytes]) -> Iterator[Item]:
        n_bytes = 0
        for number, line in enumerate(stream, 1):
            origin, n_bytes = f"{source.name}:{number}", n_bytes + len(line)
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("no object")
                yield Item(origin, record, n_bytes=n_bytes)
            except ValueError as error:
                problem = RecordError(str(error), where=origin, next_step="mend the line")
                yield Item(origin, error=problem, raw=repr(line), n_bytes=n_bytes)

    @staticmethod
    def greedy(source: Source) -> Iterator[Item]:
        with source.open() as stream:
            yield from Faulty.items(source, stream.readlines())

    @staticmethod
    def same_origin(source: Source) -> Iterator[Item]:
        return (item._replace(origin=source.name) for item in Faulty.good(source))

    @staticmethod
    def random_origin(source: Source) -> Iterator[Item]:
        return (item._replace(origin=f"{source.name}:{random.random()}") for item in Faulty.good(source))

    @staticmethod
    def sorted(source: Source) -> Iterator[Item]:
        return iter(sorted(Faulty.good(source), key=lambda item: str((item.record or {}).get("text"))))

    @staticmethod
    def gives_up(source: Source) -> Iterator[Item]:
        for item in Faulty.good(source):
            yield item
            if item.error is not None:
                return

    @staticmethod
    def raises(source: Source) -> Iterator[Item]:
        with source.open() as stream:
            for number, line in enumerate(stream, 1):
                yield Item(f"{source.name}:{number}", json.loads(line))

    @staticmethod
    def placeless(source: Source) -> Iterator[Item]:
        for item in Faulty.good(source):
            yield item if item.error is None else item._replace(error=RecordError("bad"), raw=None)

    @staticmethod
    def ascii(source: Source) -> Iterator[Item]:
        for item in Faulty.good(source):
            text = str((item.record or {}).get("text")).encode("ascii", "replace").decode()
            yield item if item.record is None else item._replace(record={**item.record, "text": text})

    @staticmethod
    def objects(source: Source) -> Iterator[Item]:
        for item in Faulty.good(source):
            yield item if item.record is None else item._replace(record={**item.record, "source": source})

    @staticmethod
    def unpacked(source: Source) -> Iterator[Item]:
        with source.path.open("rb") as stream:
            yield from Faulty.items(source, stream)

    @staticmethod
    def overshoots(source: Source) -> Iterator[Item]:
        return (item._replace(n_bytes=10**9) for item in Faulty.good(source))

    @staticmethod
    def left_open(source: Source) -> Iterator[Item]:
        stream = source.open()
        KEPT.append(stream)
        yield from Faulty.items(source, stream)


KEPT: list[Any] = []


@pytest.mark.parametrize(
    ("name", "check", "others", "word"),
    [
        ("greedy", "lazy", set(), "bytes of a file were read before its first item"),
        ("left_open", "lazy", set(), "stays open"),
        ("same_origin", "origins", set(), "two items have the origin"),
        ("random_origin", "stable", set(), "origin is"),
        ("sorted", "reads", {"progress", "lazy", "broken-record"}, "'id' is"),
        ("gives_up", "broken-record", set(), "no record behind the broken one"),
        ("raises", "broken-record", {"any-bytes", "progress"}, "JSONDecodeError"),
        ("placeless", "broken-record", set(), "no place or no next step"),
        ("ascii", "reads", set(), "'text' is"),
        ("objects", "plain-records", {"stable"}, "not JSON data"),
        ("unpacked", "packed", set(), ".gz file gave other records"),
        ("overshoots", "progress", set(), "n_bytes is 1000000000"),
    ],
)
def test_a_fault_of_a_reader_is_named(name: str, check: str, others: set[str], word: str) -> None:
    with pytest.raises(ContractError) as caught:
        broken = b'{"id": "1", "text": "b"}\n{"id": \n{"id": "3", "text": "a"}\n'
        check_reader(getattr(Faulty, name), json_lines, suffix=".jsonl", broken=broken)
    failed = set(caught.value.report.failed)
    assert check in failed and failed <= {check} | others, str(caught.value)
    assert word in str(caught.value), str(caught.value)


def test_a_correct_reader_passes() -> None:
    report = check_reader(Faulty.good, json_lines, suffix=".jsonl")
    assert {*report.passed} == {*READER_CHECKS} - {"broken-record"}
    assert report.skipped["broken-record"] == "no `broken` file was given"


class Lines:
    """A writer of JSON lines that keeps its promises; the others each break one."""

    def __init__(self, stream: BinaryIO, columns: Columns | None = None) -> None:
        self.stream = stream

    def line(self, result: Mapping[str, Any]) -> bytes:
        return json.dumps(result, allow_nan=False).encode() + b"\n"

    def write(self, result: Mapping[str, Any]) -> None:
        self.stream.write(self.line(result))

    def close(self) -> None: ...


class Closing(Lines):
    def close(self) -> None:
        self.stream.close()


class Half(Lines):
    def write(self, result: Mapping[str, Any]) -> None:
        for piece in json.JSONEncoder(allow_nan=False).iterencode(result):
            self.stream.write(piece.encode())
        self.stream.write(b"\n")


class Lenient(Lines):
    def line(self, result: Mapping[str, Any]) -> bytes:
        return json.dumps(result, default=lambda value: type(value).__name__).encode() + b"\n"


class WrongError(Lines):
    def write(self, result: Mapping[str, Any]) -> None:
        try:
            super().write(result)
        except (TypeError, ValueError) as error:
            raise KeyError("cannot write") from error


class Timed(Lines):
    def line(self, result: Mapping[str, Any]) -> bytes:
        import time

        return super().line({**result, "written": time.time()})


class Ascii(Lines):
    def line(self, result: Mapping[str, Any]) -> bytes:
        return super().line({**result, "text": str(result.get("text")).encode("ascii", "replace").decode()})


class Changing(Lines):
    def write(self, result: Mapping[str, Any]) -> None:
        super().write(result)
        result.pop("text")  # type: ignore[attr-defined]


class Forgetting(Lines):
    def write(self, result: Mapping[str, Any]) -> None:
        if len(str(result.get("text"))) < 10_000:
            super().write(result)


@pytest.mark.parametrize(
    ("writer", "check", "others", "word"),
    [
        (Closing, "leaves-open", {"equal-bytes", "refuses", "round-trip", "no-results"}, "was closed"),
        (Half, "refuses", set(), "left the file other than without it"),
        (Lenient, "refuses", set(), "an object was taken without a word"),
        (WrongError, "refuses", set(), "KeyError"),
        (Timed, "equal-bytes", {"round-trip", "refuses"}, "differ from byte"),
        (Ascii, "round-trip", {"refuses"}, "'text' came back as"),
        (Changing, "writes", {"round-trip", "refuses", "equal-bytes"}, "changed the result"),
        (Forgetting, "round-trip", set(), "records came back of"),
    ],
)
def test_a_fault_of_a_writer_is_named(writer: type, check: str, others: set[str], word: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_writer(writer, reader="jsonl")
    failed = set(caught.value.report.failed)
    assert check in failed and failed <= {check} | others, str(caught.value)
    assert word in str(caught.value), str(caught.value)


def test_a_correct_writer_passes() -> None:
    report = check_writer(Lines, reader="jsonl")
    assert not report.skipped
    assert check_writer(Lines).skipped == {
        "round-trip": "no reader answers to its files; name one in `reader`",
        "no-results": "no reader is known",
    }


ONE_WAY = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_writers():
    yield mmpipe.WriterSpec("kitpage", "kitpage_writer:Page", (".md",))
"""
PAGE = """
import json

class Page:
    def __init__(self, stream):
        self.stream = stream
        stream.write(b"# Results")

    def write(self, result):
        self.stream.write(f"\\n\\n{json.dumps(result, allow_nan=False)}".encode())
"""


def test_a_format_that_is_only_written_is_told_how_to_say_so(mmpipe_plugin: Callable[..., Any]) -> None:
    mmpipe_plugin("kitpage", ONE_WAY, files={"kitpage_writer.py": PAGE})
    with pytest.raises(ContractError) as caught:
        check_writer("kitpage")
    found = {fault.check: fault.next_step for fault in caught.value.faults}
    assert set(found) == {"round-trip", "no-results"}
    for step in found.values():
        assert "skip=['round-trip', 'no-results']" in step and ".md is the reader 'text' of mmpipe" in step
    assert not check_writer("kitpage", skip=["round-trip", "no-results"]).faults
    # Who names a reader means it.
    with pytest.raises(ContractError) as caught:
        check_writer("kitpage", reader="text")
    assert "only written" not in str(caught.value)
    # mmpipe's own formats are read by its own readers.
    with pytest.raises(ContractError) as caught:
        check_writer("text", keys=("id", "text"))
    assert "round-trip" in str(caught.value) and "only written" not in str(caught.value)
