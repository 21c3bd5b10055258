"""Documents of files, for a program."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import spacy

import mmpipe
from mmpipe.errors import NoInputError, RecordError


def test_records_of_several_files_become_documents(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as lines:
        lines.write(json.dumps({"id": "x", "body": "One."}) + "\n" + json.dumps({"body": "Two.", "year": 2024}) + "\n")
    (tmp_path / "b.csv").write_text("body,label\nThree.,good\n")
    nlp = spacy.blank("en")
    docs = list(mmpipe.read_docs(nlp, [str(tmp_path / "a.jsonl.gz"), str(tmp_path / "b.csv")], text_key="body"))
    assert [doc.text for doc in docs] == ["One.", "Two.", "Three."]
    records = [mmpipe.to_record(doc) for doc in docs]
    assert [record["id"] for record in records] == ["x", "a.jsonl.gz:2", "b.csv:2"]
    assert records[1]["year"] == 2024 and records[2]["label"] == "good"


def test_what_cannot_be_read_is_raised_or_told(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "One."}\nnot json\n{"text": 5}\n{"text": "Two."}\n')
    nlp = spacy.blank("en")
    with pytest.raises(RecordError, match=r"a\.jsonl:2"):
        list(mmpipe.read_docs(nlp, str(file)))
    wrong: list[RecordError] = []
    assert [doc.text for doc in mmpipe.read_docs(nlp, str(file), on_error=wrong.append)] == ["One.", "Two."]
    assert len(wrong) == 2
    with pytest.raises(NoInputError, match="no such file"):
        mmpipe.read_docs(nlp, str(tmp_path / "none.jsonl"))
