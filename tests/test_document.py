"""Records become Docs and come back whole, also through bytes, DocBin and other processes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from mmpipe import ConfigError, RecordError, make_doc, make_docs, to_record
from mmpipe.document import media_of, set_extension, spacy_annotations, spacy_own
from mmpipe.media.policy import MediaPolicy
from mmpipe.plain import MAX_DEPTH, dumps

NLP = spacy.blank("en")
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OURS = {"text", "image", "images", "question", "questions"}
RECORDS = st.builds(
    lambda rest, text: {**rest, "text": text},
    st.dictionaries(st.text(max_size=6).filter(lambda key: key not in OURS), JSON, max_size=4),
    st.none() | st.text(max_size=40),
)


def through_bytes(doc: Doc) -> Doc:
    return Doc(NLP.vocab).from_bytes(doc.to_bytes())


def through_docbin(doc: Doc) -> Doc:
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    return next(iter(DocBin().from_bytes(stored).get_docs(NLP.vocab)))


@settings(deadline=None, max_examples=50)
@given(RECORDS)
def test_any_json_passes_through(record: dict[str, Any]) -> None:
    doc = make_doc(NLP, record)
    assert doc.text == (record["text"] or "")
    # As JSON text, because in Python 1 == 1.0 == True.
    wanted = json.dumps(record, sort_keys=True)
    for copy in (doc, through_bytes(doc), through_docbin(doc)):
        assert json.dumps(to_record(copy), sort_keys=True) == wanted
        assert json.loads(dumps(to_record(copy))) == record


def test_a_result_is_the_record_with_the_fields_added_and_id_first() -> None:
    set_extension("mood")
    record = {"text": "Hello.", "stars": 5, "id": "r1"}
    doc = make_doc(NLP, record)
    doc._.mood = {"label": "good", "spans": [(0, 1)]}
    result = to_record(doc)
    assert list(result) == ["id", "text", "stars", "mood"]
    assert result["mood"] == {"label": "good", "spans": [[0, 1]]}
    result["mood"]["label"] = result["text"] = "changed"
    assert doc._.mood["label"] == "good"
    assert doc._.record == record


@pytest.mark.parametrize("record", [{"text": ""}, {"text": None}, {}, {"question": "why?"}, {"id": 3}])
def test_a_record_without_text_is_an_empty_doc(record: dict[str, Any]) -> None:
    doc = make_doc(NLP, record)
    assert len(doc) == 0
    assert to_record(through_bytes(doc)) == record


def test_text_comes_from_another_key_or_from_a_bare_string() -> None:
    assert to_record(make_doc(NLP, {"body": "Hi.", "text": 5}, text_key="body")) == {"body": "Hi.", "text": 5}
    assert to_record(make_doc(NLP, "Hi.", text_key="body")) == {"body": "Hi."}
    assert to_record(NLP("a Doc of spaCy's own")) == {"text": "a Doc of spaCy's own"}


def test_a_record_is_copied() -> None:
    record = {"text": "a", "tags": ["x"]}
    doc = make_doc(NLP, record)
    record["tags"].append("y")
    assert to_record(doc)["tags"] == ["x"]


def test_make_docs_is_lazy_and_in_order() -> None:
    def records():
        yield {"id": 1, "text": "one"}
        yield "two"
        raise AssertionError("read too far")

    docs = NLP.pipe(make_docs(NLP, records()), batch_size=1)
    assert [next(docs).text, next(docs).text] == ["one", "two"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([], "a record must be a JSON object, got list"),
        (None, "a record must be a JSON object, got NoneType"),
        ({"text": 7}, "'text' must be a string, got int 7"),
        ({"text": ["a"]}, "'text' must be a string, got list"),
        ({"text": "ab\ud83d"}, "'text' holds half a surrogate pair at character 2"),
        ({"text": "", "note": ["\udc00"]}, "'note' holds half a surrogate pair at character 0"),
        ({"text": "", "a\ud800": 1}, "a key holds half a surrogate pair"),
        ({"image": 3}, "'image' must be a string, got int 3"),
        ({"images": "a.png"}, "'images' must be a list of strings, got str"),
        ({"question": ["a"]}, "'question' must be a string"),
        ({"questions": ["a", 1]}, "'questions' must be a list of strings"),
        ({"n": 2**64}, "n is 18446744073709551616, an integer of more than 64 bits"),
        ({"n": [-(2**63) - 1]}, "an integer of more than 64 bits"),
        ({"n": float("nan")}, "n is nan, which JSON cannot hold"),
        ({"n": {"m": [float("-inf")]}}, "n is -inf"),
        ({"n": {1, 2}}, "n holds set {1, 2}, which is not JSON data"),
        ({"n": {1: 2}}, "which is not JSON data"),
        ({1: 2}, "which is not JSON data"),
        ({"n": b"bytes"}, "n holds bytes"),
    ],
)
def test_a_bad_record_is_refused_with_its_id_and_key(record: Any, said: str) -> None:
    if isinstance(record, dict):
        record = {"id": "r7", **record}
    with pytest.raises(RecordError) as caught:
        make_doc(NLP, record)
    assert said in str(caught.value)
    if isinstance(record, dict):
        assert str(caught.value).startswith("record 'r7': ")


def test_nesting_up_to_the_limit_survives_and_beyond_is_refused() -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    doc = make_doc(NLP, {"deep": nested(MAX_DEPTH - 1)})
    assert to_record(through_docbin(doc)) == to_record(through_bytes(doc)) == {"deep": nested(MAX_DEPTH - 1)}
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(RecordError, match="deep is nested more than"):
            make_doc(NLP, {"deep": nested(levels)})


def test_a_text_longer_than_spacy_takes_is_refused() -> None:
    nlp = spacy.blank("en")
    nlp.max_length = 10
    assert make_doc(nlp, "x" * 10).text == "x" * 10
    with pytest.raises(RecordError, match=r"11 characters, more than nlp\.max_length = 10"):
        make_doc(nlp, "x" * 11)


# Media


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    (root / "img").mkdir(parents=True)
    (root / "img" / "a.png").write_bytes(b"\x89PNG one")
    (root / "b.jpg").write_bytes(b"")
    (root / "c").write_bytes(b"?")
    (tmp_path / "outside.png").write_bytes(b"secret")
    os.symlink(tmp_path / "outside.png", root / "link.png")
    return root


def test_media_are_references(corpus: Path) -> None:
    record = {"image": "img/a.png", "images": ["b.jpg", "img/../c"]}
    doc = make_doc(NLP, record, root=corpus)
    data = {"img/a.png": b"\x89PNG one", "b.jpg": b"", "img/../c": b"?"}
    kinds = ["image/png", "image/jpeg", "application/octet-stream"]
    assert doc._.media == [
        {
            "path": path,
            "root": str(corpus),
            "sha256": hashlib.sha256(data[path]).hexdigest(),
            "media_type": kind,
            "size": len(data[path]),
        }
        for path, kind in zip(data, kinds, strict=True)
    ]
    assert media_of(through_docbin(doc)) == media_of(doc) == doc._.media
    assert through_bytes(doc)._.media == doc._.media
    assert list(through_docbin(doc)._.media) == doc._.media
    assert to_record(doc) == record


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.png", "cannot be read: No such file"),
        ("img", "cannot be read: it is a folder"),
        ("../outside.png", "lies outside the corpus folder"),
        ("link.png", "lies outside the corpus folder"),
        ("/etc/hostname", "lies outside the corpus folder"),
        ("a\x00b", "cannot be read"),
        ("x" * 5_000, "cannot be read"),
        ("https://example.org/a.png", "allow_urls is not set"),
    ],
)
@pytest.mark.parametrize("key", ["image", "images"])
def test_media_that_cannot_be_had_are_errors(corpus: Path, key: str, path: str, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        make_doc(NLP, {"id": 9, key: path if key == "image" else [path]}, root=corpus)
    assert said in str(caught.value)
    assert str(caught.value).startswith("record 9: ")
    assert caught.value.next_step


def test_what_the_components_of_a_pipeline_allow_is_allowed(corpus: Path) -> None:
    """Between them: one has the roots, another the larger limit."""

    class Opener:
        def __init__(self, **limits: Any) -> None:
            self.media_policy = MediaPolicy(**limits)

        def __call__(self, doc: Doc) -> Doc:
            return doc

    nlp = spacy.blank("en")
    record = {"images": ["../outside.png", "img/a.png"]}
    for roots, max_bytes, said in [((), 100, "outside"), ((str(corpus.parent),), 7, "max_bytes = 7")]:
        opener = Opener(roots=roots, max_bytes=max_bytes)
        Language.component("mmpipe_test_opener", func=opener)
        nlp = spacy.blank("en")
        nlp.add_pipe("mmpipe_test_opener")
        with pytest.raises(RecordError, match=said):
            make_doc(nlp, record, root=corpus)
    Language.component("mmpipe_test_larger", func=Opener(max_bytes=8))
    nlp.add_pipe("mmpipe_test_larger")
    assert [found["size"] for found in media_of(make_doc(nlp, record, root=corpus))] == [6, 8]


def test_a_doc_of_spacys_own_has_no_media() -> None:
    assert media_of(NLP("a text")) == []


# Fields


def test_a_field_never_overwrites_a_key_of_the_record() -> None:
    set_extension("mood")
    doc = make_doc(NLP, {"id": "a", "mood": "gold"})
    doc._.mood = "predicted"
    with pytest.raises(RecordError, match="record 'a': the record already has a key 'mood'"):
        to_record(doc)
    assert to_record(doc, fields=[]) == {"id": "a", "mood": "gold"}


def test_a_record_that_something_was_written_over_is_no_result() -> None:
    doc = make_doc(NLP, {"id": "a", "text": "b"})
    doc._.record = ["a", "b"]
    with pytest.raises(RecordError, match=r"doc\._\.record holds .*no record"):
        to_record(doc)


@pytest.mark.parametrize("value", [float("nan"), object(), {1: 2}, "\ud800", 2**70, b""])
def test_what_is_not_json_is_left_out_unless_it_is_asked_for(value: Any) -> None:
    set_extension("mood")
    doc = make_doc(NLP, "a")
    doc._.mood = value
    assert to_record(doc) == {"text": "a"}
    with pytest.raises(RecordError, match="mood"):
        to_record(doc, fields=["mood"])


def test_a_field_that_nobody_registered_is_spacys_error() -> None:
    with pytest.raises(AttributeError, match="nosuch"):
        to_record(make_doc(NLP, "a"), fields=["nosuch"])


@pytest.mark.parametrize("name", ["", "two words", "1st", "record", "media", "get", "set", "has", "id", "text", "_obj"])
def test_a_field_that_underscore_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot stand in doc\._"):
        set_extension(name)


def test_set_extension_leaves_one_that_exists_alone() -> None:
    Doc.set_extension("mmpipe_test_taken", default=7, force=True)
    set_extension("mmpipe_test_taken")
    assert NLP("a")._.mmpipe_test_taken == 7


@Language.component("mmpipe_test_annotator", assigns=["doc.ents", "doc.cats"])
def annotate(doc: Doc) -> Doc:
    doc.set_ents([doc.char_span(0, 5, label="PLACE")])
    doc.cats = {"travel": 1}
    return doc


def test_spacys_own_annotations_are_in_the_result() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("mmpipe_test_annotator")
    doc = nlp("Paris is big.")
    assigns = {name: nlp.get_pipe_meta(name).assigns for name in nlp.pipe_names}
    assert spacy_annotations(doc, spacy_own(assigns)) == {
        "ents": [{"start": 0, "end": 5, "label": "PLACE", "text": "Paris"}],
        "cats": {"travel": 1.0},
    }
    assert spacy_annotations(doc, spacy_own({"mmpipe": ["doc.cats", "doc._.sentiment"]})) == {}
