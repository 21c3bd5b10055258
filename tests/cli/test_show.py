"""`mmpipe show`: whatever the components wrote, by what it looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

ANSWER = {"question": "Who?", "text": "the fox", "score": 0.5, "no_answer_score": 0.1}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*records: dict) -> None:
    Path("r.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def test_answers_stand_beside_their_questions(mmpipe: Callable) -> None:
    gold = {"gold_answers": [["not shown"], []]}
    write(
        {"id": "a", "text": "x", "answers": [ANSWER, {**ANSWER, "question": "Why?", "text": None}], **gold},
        {"id": "b", "text": "y", "answers": []},
    )
    found = mmpipe("show", "r.jsonl")
    assert found.code == 0
    assert "Who? the fox" in found.out and "Why? (none)" in found.out
    assert "not shown" not in found.out and "[]" not in found.out


def test_a_field_of_any_name(mmpipe: Callable) -> None:
    write({"id": "a", "text": "x", "mood": {"label": "fine", "score": 0.75}, "replies": [ANSWER]})
    found = mmpipe("show", "r.jsonl")
    assert "mood" in found.out and "fine 0.75" in found.out and "Who? the fox" in found.out


def test_what_a_component_of_ones_own_wrote(mmpipe: Callable) -> None:
    write(
        {
            "id": "a",
            "text": "x",
            "readability": {"flesch": 77.912345, "sentence_length": 5},
            "terms": [{"term": "fox", "start": 4}, {"term": "dog", "start": 40}],
        },
    )
    found = mmpipe("show", "r.jsonl")
    assert "flesch: 77.91, sentence_length: 5" in " ".join(
        line.split("│")[3].strip() for line in found.out.splitlines() if "│" in line
    )
    assert "term: fox, start: 4" in found.out and "term: dog, start: 40" in found.out


@pytest.mark.parametrize(
    ("value", "shown"),
    [("easy", "easy"), (7, "7"), (0.123456, "0.1235"), (["p", "q"], "p, q"), ({"a": [1, {"b": None}]}, "a: [1, {")],
)
def test_values_of_any_kind(value: object, shown: str, mmpipe: Callable) -> None:
    write({"id": "a", "text": "x", "grade": value})
    found = mmpipe("show", "r.jsonl")
    assert found.code == 0 and "grade" in found.out and shown in found.out


def test_of_many_bare_values_the_last_are_shown_and_any_that_is_named(mmpipe: Callable) -> None:
    write({"id": "a", "text": "x", "gold": [["p"]], **{f"k{n}": f"value{n}" for n in range(6)}, "by": {"who": "Ann"}})
    found = mmpipe("show", "r.jsonl")
    assert "by: who: Ann" in found.out and "k2: value2" in found.out and "value1" not in found.out
    assert "not shown: k0, k1 (--field NAME shows one)" in found.out
    found = mmpipe("show", "r.jsonl", "--field", "k0")
    assert "value0" in found.out and "value5" not in found.out and "Ann" not in found.out
    found = mmpipe("show", "r.jsonl", "--field", "bye")
    assert found.code == 5 and "did you mean 'by'?" in found.err


LANGUAGES = [
    {"id": str(n), "text": "x", "label": "en", "n": n, "language": {"label": label, "score": 0.5}, "mood": "en"}
    for n, label in enumerate(["en", "en", "de"])
]


def test_gold_is_compared_with_the_field_that_holds_labels(mmpipe: Callable) -> None:
    write(*LANGUAGES)
    found = mmpipe("show", "r.jsonl", "--gold", "label", "--by", "n")
    assert "language: 2 en, 1 de" in found.out
    assert "2 of 3 labels agree with 'label' (66.7%)" in found.out and "  n 2: 0 of 1 labels agree" in found.out
    assert "3 of 3 labels agree" in mmpipe("show", "r.jsonl", "--field", "mood", "--gold", "label").out


@pytest.mark.parametrize(
    ("records", "arguments", "said"),
    [
        ([{**LANGUAGES[0], "tone": {"label": "en", "score": 1}}], [], "several keys hold labels: language, tone"),
        ([{"id": "a", "text": "x", "label": "en"}], [], "no key that is shown holds labels"),
        (LANGUAGES, ["--field", "n"], "no key that is shown holds labels"),
        ([{**LANGUAGES[0], "lable": "en", "label": None}], [], "no record has both 'language' and 'label'"),
    ],
)
def test_what_cannot_be_compared_is_said(records: list, arguments: list, said: str, mmpipe: Callable) -> None:
    write(*records)
    found = mmpipe("show", "r.jsonl", "--gold", "label", *arguments)
    assert found.code == 5 and said in found.err and "labels agree" not in found.out


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "tsv", "json", "jsonl.gz", "txt"])
def test_whatever_a_run_wrote_is_read(ending: str, mmpipe: Callable) -> None:
    Path("in.jsonl").write_text('{"id": "a", "text": "Write to grace.holloway@example.com."}\n')
    Path("p.json").write_text('{"nlp": {"lang": "en", "pipeline": ["mmpipe_privacy"]}}')
    assert mmpipe("run", "p.json", "in.jsonl", "-o", f"out.{ending}").code == 0
    found = mmpipe("show", f"out.{ending}")
    assert found.code == 0 and "Write to" in found.out, found.err
    assert "kind: email" in found.out or ending == "txt", "a text has no results beside it"


def test_a_run_into_a_folder_and_what_is_no_result(mmpipe: Callable) -> None:
    Path("out").mkdir()
    Path("out/shard-00000.jsonl").write_text('{"id": "a", "text": "x", "mood": {"label": "fine", "score": 0.75}}\n')
    Path("out/manifest.json").write_text("{}")
    assert "fine 0.75" in mmpipe("show", "out").out
    Path("out/shard-00000.jsonl").write_text("{\n")
    found = mmpipe("show", "out")
    assert found.code == 1 and "shard-00000.jsonl:1: cannot be shown: not JSON" in found.err
    Path("r.odt").write_bytes(b"PK")
    assert "no reader answers to the ending '.odt'" in mmpipe("show", "r.odt").err


def test_results_of_many_components_stand_below_one_another(mmpipe: Callable) -> None:
    summary = {"text": "A fox.", "coverage": 1.0}
    write({"id": "a", "text": "x", "mood": {"label": "fine", "score": 0.75}, "answers": [ANSWER], "summary": summary})
    lines = mmpipe("show", "r.jsonl").out.splitlines()
    shown = [line.split("│")[3].strip() for line in lines if "│" in line]
    assert shown == ["mood: fine 0.75", "answers: Who? the fox", "summary: A fox."]
