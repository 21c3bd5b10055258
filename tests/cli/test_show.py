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


def test_what_is_no_result_is_not_shown(mmpipe: Callable) -> None:
    write({"id": "a", "text": "x", "author": {"name": "Ann"}, "tags": ["p", "q"], "sentiment": 5})
    found = mmpipe("show", "r.jsonl")
    assert found.code == 0 and "Ann" not in found.out and "tags" not in found.out


def test_results_of_many_components_stand_below_one_another(mmpipe: Callable) -> None:
    summary = {"text": "A fox.", "coverage": 1.0}
    write({"id": "a", "text": "x", "mood": {"label": "fine", "score": 0.75}, "answers": [ANSWER], "summary": summary})
    lines = mmpipe("show", "r.jsonl").out.splitlines()
    shown = [line.split("│")[3].strip() for line in lines if "│" in line]
    assert shown == ["mood: fine 0.75", "answers: Who? the fox", "summary: A fox."]
