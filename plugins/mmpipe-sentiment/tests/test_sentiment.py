"""The component against Hugging Face's own classes on the same checkpoint."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmpipe_sentiment.factory import DEFAULTS
from spacy.language import Language
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import mmpipe
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.testing import AWKWARD_TEXTS, CLASSIFIERS

TEXTS = [
    "This film is good.",
    "What a wonderful day; it was raining, then the sun came out!",
    "never again",
    "The quick brown fox jumps over the lazy dog and the cat sat on the mat.",
]


def load(checkpoint: str, **settings: Any) -> Language:
    model = {"name": checkpoint, "precision": "fp32", "device": "cpu", **settings.pop("model", {})}
    component = {"factory": "mmpipe_sentiment", "model": model, **settings}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["sentiment"]}, "components": {"sentiment": component}})


def reference(checkpoint: str, texts: list[str]) -> torch.Tensor:
    """The logits that Hugging Face's classes give, one text at a time: (n_texts, n_labels)."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        return torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in texts])


@pytest.fixture(scope="module")
def checkpoint(tiny_classifier: Callable[..., str]) -> str:
    return tiny_classifier("bert")


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_scores_are_the_softmax_of_hugging_faces_logits(tiny_classifier: Callable[..., str], family: str) -> None:
    labels = ("bad", "so-so", "good")
    checkpoint = tiny_classifier(family, labels=labels)
    wanted = reference(checkpoint, TEXTS).softmax(-1)
    assert wanted.std(0).max() > 1e-3, "all texts look alike: the test could not fail"
    for doc, row in zip(load(checkpoint).pipe(TEXTS), wanted, strict=True):
        result = doc._.sentiment
        assert list(result["scores"]) == list(labels)
        assert list(result["scores"].values()) == pytest.approx(row.tolist(), abs=1e-4)
        assert result["label"] == labels[row.argmax()]
        assert result["score"] == result["scores"][result["label"]]
        assert result["coverage"] == 1.0
        assert doc.cats == result["scores"]


@pytest.mark.parametrize("labels", [("rude", "funny", "long"), ("toxic",)])
def test_a_multi_label_checkpoint_gives_a_sigmoid_for_each_label(
    tiny_classifier: Callable[..., str], labels: tuple[str, ...]
) -> None:
    checkpoint = tiny_classifier("bert", labels=labels, is_multi_label=True)
    wanted = reference(checkpoint, TEXTS).sigmoid()
    for doc, row in zip(load(checkpoint).pipe(TEXTS), wanted, strict=True):
        assert doc.cats == pytest.approx(dict(zip(labels, row.tolist(), strict=True)), abs=1e-4)
        assert doc._.sentiment["label"] == labels[row.argmax()]


def test_field_and_prefix_let_two_stand_side_by_side(tiny_classifier: Callable[..., str], checkpoint: str) -> None:
    other = tiny_classifier("distilbert", labels=("cold", "positive"))
    model = {"precision": "fp32"}
    nlp = mmpipe.load(
        {
            "nlp": {"lang": "en", "pipeline": ["a", "b"]},
            "components": {
                "a": {"factory": "mmpipe_sentiment", "model": {**model, "name": checkpoint}},
                "b": {
                    "factory": "mmpipe_sentiment",
                    "model": {**model, "name": other},
                    "field": "warmth",
                    "cats_prefix": "warmth_",
                },
            },
        }
    )
    doc = nlp(TEXTS[0])
    first, second = reference(checkpoint, TEXTS[:1]).softmax(-1)[0], reference(other, TEXTS[:1]).softmax(-1)[0]
    assert list(doc._.sentiment["scores"].values()) == pytest.approx(first.tolist(), abs=1e-4)
    assert list(doc._.warmth["scores"].values()) == pytest.approx(second.tolist(), abs=1e-4)
    assert list(doc.cats) == ["negative", "positive", "warmth_cold", "warmth_positive"]


def test_sentences_are_classified_each_for_itself(checkpoint: str) -> None:
    text = "  This film is good.\n\nThat one is bad!   Never again, not even for free. "
    doc = load(checkpoint, per_sentence=True, spans_key="parts")(text)
    spans = doc.spans["parts"]
    sents = ["This film is good.", "That one is bad!", "Never again, not even for free."]
    assert [span.text for span in spans] == sents
    wanted = reference(checkpoint, sents).softmax(-1).max(-1)
    assert spans.attrs["scores"] == pytest.approx(wanted.values.tolist(), abs=1e-4)
    assert [span.label_ for span in spans] == [("negative", "positive")[i] for i in wanted.indices.tolist()]
    found = doc._.sentiment["sentences"]
    assert [doc.text[sent["start"] : sent["end"]] for sent in found] == sents
    assert [(s["label"], s["score"]) for s in found] == list(
        zip([span.label_ for span in spans], spans.attrs["scores"], strict=True)
    )


def test_without_per_sentence_nothing_is_said_of_sentences(checkpoint: str) -> None:
    doc = load(checkpoint)(TEXTS[0])
    assert "sentences" not in doc._.sentiment and not doc.spans


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u200b"])
def test_a_text_with_nothing_to_read_has_no_label(checkpoint: str, text: str) -> None:
    doc = load(checkpoint, per_sentence=True)(text)
    result = doc._.sentiment
    assert result["label"] is None and result["score"] == 0.0
    assert result["scores"] == doc.cats == {"negative": 0.0, "positive": 0.0}
    assert result["coverage"] == 1.0
    assert all(sent["label"] is None for sent in result["sentences"])


def test_awkward_texts_in_any_company(checkpoint: str) -> None:
    nlp = load(checkpoint, per_sentence=True)
    texts = [*AWKWARD_TEXTS.values(), *TEXTS]
    alone = [nlp(text) for text in texts]
    order = random.Random(1).sample(range(len(texts)), len(texts))
    for batch_size in (4, 100):
        for index, doc in zip(order, nlp.pipe([texts[i] for i in order], batch_size=batch_size), strict=True):
            assert doc.text == texts[index]
            single = alone[index]._.sentiment
            assert doc._.sentiment["label"] == single["label"]
            assert doc.cats == pytest.approx(alone[index].cats, abs=1e-5)
            for span, sent in zip(doc.spans["sentiment"], doc._.sentiment["sentences"], strict=True):
                assert texts[index][sent["start"] : sent["end"]] == span.text == span.text.strip()


def test_a_long_text_is_read_whole_or_as_said(checkpoint: str) -> None:
    text = AWKWARD_TEXTS["long"]
    assert load(checkpoint)(text)._.sentiment["coverage"] == 1.0
    cut = load(checkpoint, model={"long_text": "truncate"})(text)._.sentiment
    assert 0.0 < cut["coverage"] < 0.1
    with pytest.raises(mmpipe.RecordError, match="long_text"):
        load(checkpoint, model={"long_text": "error"})(text)


def test_every_setting_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {*inspect.signature(SequenceClassifier).parameters, *DEFAULTS}
    assert not [name for name in names if f"\n| `{name}` |" not in readme]
