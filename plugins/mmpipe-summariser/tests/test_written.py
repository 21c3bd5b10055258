"""Summaries that a sequence-to-sequence model writes, against Hugging Face's own `generate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from spacy.language import Language
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import mmpipe
from mmpipe.testing import AWKWARD_TEXTS, SEQ2SEQ

TEXTS = ["This film is good.", "What a wonderful day; it was raining, then the sun came out!", "never again"]


def load(checkpoint: str, **options: Any) -> Language:
    settings = options.pop("settings", {})
    model = {"@architectures": "mmpipe.Seq2Seq.v1", "name": checkpoint, "device": "cpu", **options}
    summary = {"factory": "mmpipe_summariser", "model": model, **settings}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["summary"]}, "components": {"summary": summary}})


def reference(checkpoint: str, texts: list[str], **options: Any) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint).eval()
    written = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            ids = model.generate(**inputs, do_sample=False, **options)
        written.append(tokenizer.decode(ids[0], skip_special_tokens=True).strip())
    return written


@pytest.mark.parametrize("family", SEQ2SEQ)
@pytest.mark.parametrize("options", [{}, {"num_beams": 3, "max_new_tokens": 20, "no_repeat_ngram_size": 2}])
def test_the_text_is_that_of_generate(tiny_model: Callable[..., str], family: str, options: dict[str, Any]) -> None:
    checkpoint = tiny_model(family)
    wanted = reference(checkpoint, TEXTS, **options)
    assert any(wanted), "nothing is written: the test could not fail"
    for doc, text in zip(load(checkpoint, **options).pipe(TEXTS), wanted, strict=True):
        assert doc._.summary == {"text": text, "sentences": [], "coverage": 1.0}
        assert not doc.spans


def test_prefix(tiny_model: Callable[..., str]) -> None:
    checkpoint = tiny_model("t5")
    wanted = reference(checkpoint, ["the cat: " + text for text in TEXTS])
    assert wanted != reference(checkpoint, TEXTS)
    found = load(checkpoint, prefix="the cat: ").pipe(TEXTS)
    assert [doc._.summary["text"] for doc in found] == wanted


def test_long_texts_are_windowed_or_as_said(tiny_model: Callable[..., str]) -> None:
    checkpoint, text = tiny_model("bart"), "The cat sat on the mat. " * 60
    whole = load(checkpoint)(text)._.summary
    cut = load(checkpoint, long_text="truncate")(text)._.summary
    assert whole["coverage"] == 1.0 and 0.0 < cut["coverage"] < 0.5
    assert whole["text"].startswith(cut["text"]) and len(whole["text"]) > len(cut["text"])
    with pytest.raises(mmpipe.RecordError, match="long_text"):
        load(checkpoint, long_text="error")(text)


def test_awkward_texts_in_any_company(tiny_model: Callable[..., str]) -> None:
    nlp = load(tiny_model("bart"), max_new_tokens=3)
    texts = [text for text in AWKWARD_TEXTS.values() if len(text) < 1000]
    alone = [nlp(text)._.summary for text in texts]
    assert alone[0] == {"text": "", "sentences": [], "coverage": 1.0}
    for batch_size in (3, 100):
        found = [doc._.summary for doc in nlp.pipe(texts[::-1], batch_size=batch_size)]
        assert found[::-1] == alone


@pytest.mark.parametrize("setting", [{"n_sentences": 2}, {"ratio": 0.5}, {"max_tokens": 9}])
def test_lengths_in_sentences_are_not_for_written_summaries(
    tiny_model: Callable[..., str], setting: dict[str, Any]
) -> None:
    with pytest.raises(mmpipe.ConfigError, match="max_new_tokens"):
        load(tiny_model("bart"), settings=setting)
