"""DocBin: Docs come back as records; a Doc that cannot be kept leaves no half of itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from mmpipe.corpus.docbin import Writer
from mmpipe.corpus.source import Item, find_inputs
from mmpipe.document import make_doc, set_extension
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})


@pytest.fixture(scope="module")
def nlp() -> Any:
    set_extension("docbin_field")
    return spacy.blank("en")


def items(path: Path, **options: Any) -> list[Item]:
    (given,) = find_inputs([str(path)], PLUGINS, **options)
    return list(given)


def written(docs: list[Doc]) -> bytes:
    stream = io.BytesIO()
    writer = Writer(stream)
    for doc in docs:
        writer.write(doc)
    writer.close()
    assert not stream.closed
    return stream.getvalue()


def made(nlp: Any, records: list[dict[str, Any]]) -> list[Doc]:
    docs = [make_doc(nlp, record) for record in records]
    for doc in docs:
        doc._.docbin_field = {"scores": [0.5, None]}
        doc.user_data["tensor"] = object()
        doc.cats["a"] = 0.5
        doc.spans["found"] = [doc[:1]] if len(doc) else []
    return docs


RECORDS = [
    {"id": 7, "text": "Two words, é 😀.", "list": [1, {"a": [None]}], "images": []},
    {"text": ""},
    {"note": "no text"},
    {"text": "  spaces\n\n"},
]


def test_there_and_back(nlp: Any, tmp_path: Path) -> None:
    docs = made(nlp, RECORDS)
    data = written(docs)
    assert data == written(made(nlp, RECORDS))
    assert all(isinstance(doc.user_data["tensor"], object) for doc in docs)
    (tmp_path / "a.spacy").write_bytes(data)
    found = items(tmp_path / "a.spacy")
    assert [item.record for item in found] == RECORDS
    assert [(item.origin, item.offset) for item in found][:2] == [("a.spacy:1", 0), ("a.spacy:2", 1)]
    first = next(DocBin().from_bytes(data).get_docs(nlp.vocab))
    assert first._.docbin_field["scores"][0] == 0.5 and first.cats == {"a": 0.5} and len(first.spans["found"]) == 1


def test_docs_that_mmpipe_never_saw(nlp: Any, tmp_path: Path) -> None:
    DocBin(docs=[nlp("a text"), nlp("")]).to_disk(tmp_path / "a.spacy")
    assert [item.record for item in items(tmp_path / "a.spacy", text_key="body")] == [{"body": "a text"}, {}]


def test_a_doc_that_cannot_be_kept_leaves_no_trace(nlp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, last = made(nlp, RECORDS)[:3]
    stream = io.BytesIO()
    writer = Writer(stream)
    writer.write(good)
    kept = dict(bad.user_data)
    with monkeypatch.context() as patch, pytest.raises(TypeError, match="half of it"):

        def burst(*given: Any) -> None:
            raise TypeError("half of it is in the DocBin")

        patch.setattr("spacy.tokens._serialize.srsly.msgpack_dumps", burst)
        writer.write(bad)
    writer.write(last)
    writer.close()
    assert stream.getvalue() == written([good, last]) and bad.user_data == kept


def test_a_damaged_doc_ends_the_file_with_an_error(nlp: Any, tmp_path: Path) -> None:
    docs = DocBin(store_user_data=True)
    for record in RECORDS:
        docs.add(make_doc(nlp, record))
    docs.user_data[1] = b"\xc1"
    docs.to_disk(tmp_path / "a.spacy")
    first, bad = items(tmp_path / "a.spacy")
    assert first.record == RECORDS[0]
    assert bad.error is not None and "Doc 2 of 4" in bad.error.what and bad.origin == "a.spacy:2"
