"""Readers: one item a record, none lost, and each that cannot be read has its place and a next step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmpipe.corpus.jsonl import Writer
from mmpipe.corpus.process import Failure, Processor
from mmpipe.corpus.run import Run
from mmpipe.corpus.source import Input, Item, find_inputs
from mmpipe.errors import NoInputError
from mmpipe.plugins import discover
from mmpipe.specs import RunInfo

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})
BAD_LINES: dict[str, bytes] = {
    "UTF-8": b'{"text": "\xff"}',
    "latin-1": '{"text": "é"}'.encode("latin-1"),
    "UTF-16": '{"text": "a"}'.encode("utf-16-be"),
    "list": b"[1]",
    "number": b"1",
    "string": b'"a"',
    "null": b"null",
    "true": b"true",
    "NaN": b'{"text": "a", "x": NaN}',
    "infinity": b'{"text": "a", "x": -Infinity}',
    "1e999": b'{"text": "a", "x": 1e999}',
    "truncated": b'{"text": "a',
    "two objects": b'{"text": "a"}{"text": "b"}',
    "comma": b'{"text": "a",}',
    "single quotes": b"{'text': 'a'}",
    "no quotes": b'{text: "a"}',
    "control": b'{"text": "a\x01"}',
    "NUL": b'{"text": "a"}\x00',
    "deep": b'{"text": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "deep field": b'{"text": "a", "x": ' + b"[" * 400 + b"]" * 400 + b"}",
    "surrogate": b'{"text": "\\ud800"}',
    "surrogate field": b'{"text": "a", "x": "\\udfff"}',
    "surrogate key": b'{"text": "a", "\\ud800": 1}',
    "digits": b'{"text": "a", "x": ' + b"9" * 5000 + b"}",
    "big integer": b'{"text": "a", "x": ' + b"9" * 30 + b"}",
    "text number": b'{"text": 5}',
    "text list": b'{"text": ["a"]}',
    "text object": b'{"text": {"a": 1}}',
    "text bool": b'{"text": false}',
    "image number": b'{"image": 5}',
    "image list": b'{"image": ["a.png"]}',
    "image missing": b'{"image": "nowhere.png"}',
    "image outside": b'{"image": "../../../../etc/hostname"}',
    "image NUL": b'{"image": "a\\u0000b"}',
    "image long": b'{"image": "' + b"x" * 5000 + b'"}',
    "images string": b'{"images": "a.png"}',
    "images numbers": b'{"images": [1]}',
    "question number": b'{"text": "a", "question": 5}',
    "questions string": b'{"text": "a", "questions": "why"}',
    "questions numbers": b'{"text": "a", "questions": ["why", 1]}',
}
GOOD_LINES: dict[str, bytes] = {
    "BOM": b'\xef\xbb\xbf{"text": "a"}',
    "CRLF": b'{"text": "a"}\r',
    "blanks": b'   {"text": "a"}  \t',
    "NUL in text": b'{"text": "a\\u0000b"}',
    "null text": b'{"text": null}',
    "no text": b"{}",
    "escaped emoji": b'{"text": "\\ud83d\\ude00"}',
    "empty question": b'{"text": "a", "question": null, "questions": []}',
    "odd ids": b'{"text": "a", "id": {"a": [1]}}',
}
BAD_TABLES: dict[str, bytes] = {
    "too few.csv": b"id,text\n1\n",
    "too many.csv": b"id,text\n1,a,b\n",
    "bytes.csv": b"id,text\n1,\xff\n",
    "bytes in header.csv": b"id,t\xffxt\n1,a\n",
    "UTF-16 without a mark.csv": "id,text\n1,a\n".encode("utf-16-be"),
    "half of UTF-16.csv": "id,text\n1,a\n".encode("utf-16")[:-3],
    "UTF-32.csv": "id,text\n1,a\n".encode("utf-32"),
    "same name.csv": b"text,text\n1,a\n",
    "no name.csv": b"id,,text\n1,2,a\n",
    "blank header.csv": b",,\n1,2,3\n",
    "open quote.csv": b'id,text\n1,"never closed\n2,b\n3,c\n',
    "one column, open quote.csv": b'text\n"never closed\nb\nc\n',
    "junk behind a quote.csv": b'id,text\n1,"a"b\n',
    "open quote in header.csv": b'id,"text\n1,a\n',
    "old Mac.csv": b"id,text\r1,a\r2,b\r",
    "too few.tsv": b"id\ttext\n1\n",
    "bytes.txt": b"caf\xe9",
    "half of UTF-16.txt": "text".encode("utf-16")[:-1],
}


@pytest.fixture(scope="module")
def nlp() -> Any:
    return spacy.blank("en")


def outcomes(folder: Path, name: str, content: bytes, nlp: Any) -> list[dict[str, Any] | Failure]:
    (folder / name).write_bytes(content)
    (given,) = find_inputs([str(folder / name)], PLUGINS)
    items = list(given)
    return Processor(nlp).process(items, root=folder)


def check(outcome: Any, origin: str | None = None) -> dict[str, Any]:
    assert isinstance(outcome, Failure), outcome
    line = outcome.as_dict()
    assert line["error"] == "RecordError", line
    assert line["origin"] and line["message"] and line["next_step"] and line["traceback"] is None
    assert origin is None or line["origin"] == origin
    return line


@pytest.mark.parametrize("kind", BAD_LINES)
def test_bad_line_among_good_ones(kind: str, nlp: Any, tmp_path: Path) -> None:
    content = b'{"text": "one"}\n' + BAD_LINES[kind] + b'\n{"text": "three"}\n'
    first, bad, last = outcomes(tmp_path, "r.jsonl", content, nlp)
    check(bad, "r.jsonl:2")
    assert first == {"id": "r.jsonl:1", "text": "one"} and last == {"id": "r.jsonl:3", "text": "three"}


@pytest.mark.parametrize("kind", GOOD_LINES)
def test_odd_line_that_is_right(kind: str, nlp: Any, tmp_path: Path) -> None:
    (result,) = outcomes(tmp_path, "r.jsonl", GOOD_LINES[kind] + b"\n", nlp)
    record = json.loads(GOOD_LINES[kind].decode("utf-8-sig"))
    assert result == {"id": "r.jsonl:1"} | record


@pytest.mark.parametrize("kind", BAD_LINES)
def test_the_errors_file_is_json_that_holds_the_line(kind: str, nlp: Any, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(BAD_LINES[kind] + b"\n")
    inputs = find_inputs([str(tmp_path / "r.jsonl")], PLUGINS)
    with (tmp_path / "out.jsonl").open("wb") as out, (tmp_path / "errors").open("wb") as errors:
        done = Run(nlp, inputs, PLUGINS, RunInfo("p", ("r",), "out.jsonl")).write(out, errors, lambda progress: None)
    assert (done.n_read, done.n_written, done.n_failed) == (1, 0, 1)
    line = json.loads((tmp_path / "errors").read_text("utf-8"))
    assert line["record"] is not None and (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table(name: str, nlp: Any, tmp_path: Path) -> None:
    found = outcomes(tmp_path, name, BAD_TABLES[name], nlp)
    failed = [check(outcome) for outcome in found if isinstance(outcome, Failure)]
    assert failed and all(line["record"] for line in failed)


def test_an_open_quote_does_not_swallow_rows_in_silence(nlp: Any, tmp_path: Path) -> None:
    (bad,) = outcomes(tmp_path, "t.csv", b'text\n"never closed\nb\nc\n', nlp)
    line = check(bad, "t.csv:2")
    assert "never closed" in line["message"] and line["record"] == '"never closed\nb\nc'


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"id,text\n1,a\n\n2,b\n", [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]),
        (b'\xef\xbb\xbfid;text\r\n1;"a;\r\nb"\r\n', [{"id": "1", "text": "a;\r\nb"}]),
        (b'"id","te\nxt"\n1,"say ""hi"""\n', [{"id": "1", "te\nxt": 'say "hi"'}]),
        (b"text\na\n", [{"id": "t.csv:2", "text": "a"}]),
        ("text\n😀 é\n".encode(), [{"id": "t.csv:2", "text": "😀 é"}]),
        (b"id,text\n1,\n", [{"id": "1", "text": ""}]),
        (b"id,text\n", []),
        (b"", []),
    ],
)
def test_table(content: bytes, records: list[Any], nlp: Any, tmp_path: Path) -> None:
    assert outcomes(tmp_path, "t.csv", content, nlp) == records


def test_origins_of_rows_with_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'id,text\n1,"a\nb"\n2\n3,c\n')
    (given,) = find_inputs([str(tmp_path / "t.csv")], PLUGINS)
    assert [item.origin for item in given] == ["t.csv:2", "t.csv:4", "t.csv:5"]


def test_folder_of_texts(nlp: Any, tmp_path: Path) -> None:
    for name in ("b.txt", "sub/a.md", "sub/c.TXT", ".hidden.txt", ".git/d.txt", "program.xyz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, "utf-8")
    found = find_inputs([str(tmp_path)], PLUGINS)
    records = [item.record for given in found for item in given]
    assert records == [{"id": name, "text": name} for name in ("b.txt", "sub/a.md", "sub/c.TXT")]


def test_patterns_are_sorted_and_names_with_brackets_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "c[1].txt"):
        Path(name).write_text(name)
    assert [given.source.name for given in find_inputs(["*.txt"], PLUGINS)] == ["a.txt", "b.txt", "c[1].txt"]
    assert [given.source.name for given in find_inputs(["c[1].txt"], PLUGINS)] == ["c[1].txt"]


@pytest.mark.parametrize(
    "name", ["nowhere", "", "a\0b", "x" * 5000, "**/*.nothing", "[", "empty", "a.xyz", "~nobody/x"]
)
def test_no_input(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("a.xyz").touch()
    if name == "":
        Path("a.xyz").unlink()
    with pytest.raises(NoInputError) as caught:
        find_inputs([name], PLUGINS)
    assert caught.value.next_step and (caught.value.where or not name)


def test_results_with_half_a_surrogate_pair_can_be_written(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as stream:
        Writer(stream).write({"a": "é\ud800"})
        Writer(stream).write({"a": "é"})
    lines = (tmp_path / "x").read_bytes().splitlines()
    assert json.loads(lines[0]) == {"a": "é\ud800"} and lines[1].decode() == '{"a": "é"}'


def test_what_a_reader_gives_that_is_no_json_is_a_failure(nlp: Any, tmp_path: Path) -> None:
    item = Item("x:1", {"text": "a", "when": object()})
    (given,) = find_inputs(["-"], PLUGINS)
    inputs = [Input(given.source, lambda source: [item])]
    with (tmp_path / "out").open("wb") as out, (tmp_path / "errors").open("wb") as errors:
        done = Run(nlp, inputs, PLUGINS, RunInfo("p", ("r",), "-")).write(out, errors, lambda progress: None)
    assert done.n_failed == 1
    assert "not JSON data" in json.loads((tmp_path / "errors").read_text())["record"]


QUIET = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
LINES = st.lists(
    st.binary(max_size=12)
    | st.sampled_from([b'{"text": "a"}', b'{"text": "a', b'1,"a', b"1,a", b'"', b"id,text", b"\r", b"\x00", b";;"]),
    max_size=6,
)


@settings(QUIET, max_examples=150)
@given(lines=LINES, suffix=st.sampled_from([".jsonl", ".csv", ".tsv", ".txt"]))
def test_any_bytes(lines: list[bytes], suffix: str, nlp: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    for outcome in outcomes(tmp_path_factory.mktemp("x"), f"r{suffix}", b"\n".join(lines), nlp):
        if isinstance(outcome, Failure):
            check(outcome)
        else:
            json.dumps(outcome)
