"""The corpus reader and the batcher, through spaCy's own registry."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.training import Example
from spacy.util import registry

import mmpipe
from mmpipe.document import media_of, record_of

NLP = spacy.blank("en")


def write(file: Path, rows: Iterable[Any]) -> str:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return str(file)


def read(**settings: Any) -> list[Example]:
    resolved = registry.resolve({"corpus": {"@readers": "mmpipe.JsonlCorpus.v1", **settings}})
    return list(resolved["corpus"](NLP))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_labels_become_cats_and_the_record_stays(tmp_path: Path, name: str) -> None:
    rows = [{"id": "x", "text": "A film.", "label": "good"}, {"text": "Rain.", "label": "bad"}, {"text": "No label"}]
    found = read(path=write(tmp_path / name, rows))
    assert [example.reference.cats for example in found] == [{"bad": 0.0, "good": 1.0}, {"bad": 1.0, "good": 0.0}, {}]
    assert [record_of(example.reference) for example in found] == rows
    assert [record_of(example.predicted) for example in found] == rows
    assert [example.predicted.text for example in found] == [row["text"] for row in rows]
    assert not any(example.predicted.cats for example in found), "gold is not predicted"


def test_fields_and_values_say_what_records_mean(tmp_path: Path) -> None:
    rows = [{"review": "A", "stars": 5}, {"review": "B", "stars": 3}, {"review": "C", "stars": 1}]
    values = {"label": {"5": "good", "3": None, "1": {"bad": 0.9, "good": 0.1}}}
    found = read(path=write(tmp_path / "a.jsonl", rows), text_key="review", fields={"label": "stars"}, values=values)
    assert [example.reference.text for example in found] == ["A", "C"]
    assert [example.reference.cats for example in found] == [{"bad": 0.0, "good": 1.0}, {"bad": 0.9, "good": 0.1}]


def test_other_kinds_of_records(tmp_path: Path) -> None:
    asked = {
        "context": "It rains.",
        "question": "What?",
        "answers": [{"text": "rains", "start": 3}],
        "impossible": False,
    }
    (example,) = read(path=write(tmp_path / "qa.jsonl", [asked]), text_key="context")
    assert example.predicted.text == "It rains." and record_of(example.predicted)["question"] == "What?"
    told = {"source": ["One. ", "Two."], "summaries": ["O."]}
    (example,) = read(path=write(tmp_path / "s.jsonl", [told]), text_key="source", fields={"summary": "summaries"})
    assert example.predicted.text == "One. Two." and record_of(example.reference)["summary"] == ["O."]


def test_a_list_of_labels_may_be_empty(tmp_path: Path) -> None:
    """No label of all is gold; no word about labels is none."""
    rows = [{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": []}, {"text": "c"}]
    found = read(path=write(tmp_path / "a.jsonl", rows))
    assert [example.reference.cats for example in found] == [{"x": 1.0, "y": 1.0}, {"x": 0.0, "y": 0.0}, {}]


def test_images_beside_the_file_and_in_a_zip_file(tmp_path: Path) -> None:
    row = {"image": "cat.png", "captions": ["a cat"]}
    path = write(tmp_path / "a.jsonl", [row])
    (tmp_path / "cat.png").write_bytes(b"beside")
    (beside,) = read(path=path)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as images:
        images.writestr("cat.png", b"zipped")
    (zipped,) = read(path=path, images=str(tmp_path / "images.zip"))
    assert media_of(beside.predicted)[0]["sha256"] != media_of(zipped.predicted)[0]["sha256"]
    assert media_of(zipped.predicted)[0]["size"] == len(b"zipped")
    path = write(tmp_path / "b.jsonl", [row, {"image": "dog.png"}])
    with pytest.raises(mmpipe.RecordError, match=r"b\.jsonl:2.*\n?.*dog\.png"):
        read(path=path, images=str(tmp_path / "images.zip"))


def test_sources_have_weights_and_limits(tmp_path: Path) -> None:
    many = write(tmp_path / "many.jsonl", ({"text": f"m{i}"} for i in range(200)))
    few = write(tmp_path / "few.jsonl", ({"content": f"f{i}"} for i in range(5)))
    sources = {
        "many": {"path": many, "weight": 0.5},
        "few": {"path": few, "text_key": "content", "weight": 3.0, "limit": 2},
    }
    settings = {"@readers": "mmpipe.JsonlCorpus.v1", "sources": sources, "shuffle_seed": 3}
    corpus = registry.resolve({"corpus": settings})["corpus"]
    texts = [example.reference.text for example in corpus(NLP)]
    assert sorted(text for text in texts if text[0] == "f") == ["f0"] * 3 + ["f1"] * 3
    assert 70 < sum(text[0] == "m" for text in texts) < 130
    assert texts != sorted(texts), "the sources are mixed"
    assert texts == [example.reference.text for example in corpus(NLP)], "the same draw for the same epoch"
    corpus.epoch = 1
    assert texts != [example.reference.text for example in corpus(NLP)]


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        (b'{"text": "a"}\n{"text": \n', {}, r"a\.jsonl:2: not JSON"),
        (b'{"text": "a"}\n{"text": 3}\n', {}, r"a\.jsonl:2: .*'text' must be a string"),
        (b'{"text": "a", "label": "x"}\n', {"values": {"label": {"y": "z"}}}, r"a\.jsonl:1: 'label' is 'x'"),
        (b'{"txt": "a", "label": "x"}\n', {}, r"(?s)a\.jsonl: no record.*'text'.*label, txt"),
        (b'{"text": "a", "label": "x"}\n', {"text_key": "txt"}, r"(?s)a\.jsonl: no record.*'txt'"),
        (b'{"text": "a"}\n{"text": "b", "cats": {"x": "much"}}\n', {}, r"a\.jsonl:2: .*number.*much"),
        (b'{"text": "a", "lable": "x"}\n', {"fields": {"label": "stars"}}, r"(?s)a\.jsonl: no record.*'stars'.*lable"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, content: bytes, settings: dict[str, Any], said: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(mmpipe.RecordError, match=said):
        read(path=str(tmp_path / "a.jsonl"), **settings)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(mmpipe.MmpipeError, match=r"nothing\.jsonl: no such file"):
        read(path=str(tmp_path / "nothing.jsonl"))
    with pytest.raises(Exception, match="one of `path` and `sources`"):
        read()


def test_batches_hold_texts_of_like_length_and_each_text_once() -> None:
    draw = random.Random(5)
    docs = [NLP.make_doc(" ".join(["word"] * draw.choice([1, 2, 5, 20, 60, 150]))) for _ in range(300)]
    examples = [Example(doc, doc.copy()) for doc in docs]
    settings = {"@batchers": "mmpipe.batch_by_tokens.v1", "size": 128, "max_examples": 16, "buffer": 200}
    batcher = registry.resolve({"batcher": settings})["batcher"]
    random.seed(1)
    batches = list(batcher(examples))
    assert sorted(map(id, (e for batch in batches for e in batch))) == sorted(map(id, examples))
    for batch in batches:
        lengths = [len(example.predicted) for example in batch]
        assert len(batch) <= 16 and (max(lengths) * len(batch) <= 128 or len(batch) == 1)
    padded = sum(max(len(e.predicted) for e in batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(len(example.predicted) for example in examples)
    longest = [max(len(e.predicted) for e in batch) for batch in batches]
    assert longest != sorted(longest), "long ones do not come last"
    random.seed(1)
    assert [[id(e) for e in batch] for batch in batcher(examples)] == [[id(e) for e in batch] for batch in batches]
