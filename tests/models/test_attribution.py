"""What explanations are made of: a model's own windows, and its outputs as a function of tokens or embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from mmpipe.errors import ModelError
from mmpipe.models.attribution import Probe, can_probe, with_tokens
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.models.windows import Window
from mmpipe.testing import AWKWARD_TEXTS, CLASSIFIERS

TEXT = "this film is good, that one is bad"
Tiny = Callable[..., str]


def probe(checkpoint: str, **options: object) -> Probe:
    return Probe(SequenceClassifier(checkpoint, device="cpu", **{"precision": "fp32", **options}))


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_outputs_of_windows_and_of_their_embeddings_are_hugging_faces_logits(tiny: Tiny, family: str) -> None:
    checkpoint = tiny(family, labels=("bad", "good"))
    opened = probe(checkpoint)
    read = opened.read(TEXT)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    module = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    encoded = tokenizer(TEXT, return_tensors="pt", return_offsets_mapping=True, return_special_tokens_mask=True)
    own = encoded["offset_mapping"][encoded["special_tokens_mask"] == 0]
    assert np.array_equal(np.stack([read.starts, read.ends], 1), own.numpy())
    (window,) = read.windows
    assert window.inputs["input_ids"] == encoded["input_ids"][0].tolist() and read.shares.tolist() == [1.0]
    with torch.inference_mode():
        wanted = module(encoded["input_ids"]).logits[0].numpy()
    assert opened.outputs([window])[0] == pytest.approx(wanted, abs=1e-4)
    given = opened.embed(window)
    assert torch.equal(given, module.get_input_embeddings()(encoded["input_ids"]))
    found = opened.outputs_of(window, given.repeat(3, 1, 1)).detach().numpy()
    assert found == pytest.approx(np.stack([wanted] * 3), abs=1e-4)


def test_a_padding_token_in_a_text_keeps_its_place(tiny: Tiny) -> None:
    """RoBERTa counts positions by the ids; embeddings alone would not tell it."""
    opened = probe(tiny("roberta", labels=("bad", "good")))
    (window,) = opened.read("good <pad> film").windows
    assert opened.token_id("pad") in window.inputs["input_ids"]
    whole = opened.outputs([window])[0]
    assert opened.outputs_of(window, opened.embed(window))[0].tolist() == pytest.approx(whole.tolist(), abs=1e-5)


@pytest.mark.parametrize("family", ["bert", "deberta-v2"])
def test_pieces_and_shares_of_awkward_texts(tiny: Tiny, family: str) -> None:
    opened = probe(tiny(family, labels=("bad", "good")), max_tokens=32, stride_tokens=8)
    for text in AWKWARD_TEXTS.values():
        read = opened.read(text[:3000])
        held = {piece for window in read.windows for piece in window.pieces}
        assert held == set(range(len(read.starts))), "every piece is in a window"
        assert (np.diff(read.starts) >= 0).all() and (read.starts <= read.ends).all()
        assert read.shares.sum() == pytest.approx(1.0 if held else 0.0)


def test_tokens_are_replaced_and_left_out() -> None:
    window = Window({"input_ids": [1, 5, 6, 2], "token_type_ids": [0, 0, 1, 1]}, 2, range(0, 2), 1)
    assert with_tokens(window, [2], 9) == replace(window, inputs={**window.inputs, "input_ids": [1, 5, 9, 2]})
    assert with_tokens(window, [1], None).inputs == {"input_ids": [1, 6, 2], "token_type_ids": [0, 1, 1]}
    assert window.inputs["input_ids"] == [1, 5, 6, 2]


def test_what_reads_its_embeddings_otherwise_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = probe(tiny("bert", labels=("bad", "good")))
    (window,) = opened.read(TEXT).windows
    other = torch.nn.Embedding(100, 32)
    monkeypatch.setattr(type(opened.module), "get_input_embeddings", lambda self: other)
    with pytest.raises(ModelError, match="reads its embeddings 0 times"):
        opened.outputs_of(window, torch.zeros(1, len(window), 32))


def test_only_architectures_with_one_score_are_opened(tiny: Tiny) -> None:
    assert can_probe(SpanExtractor("x")) and can_probe(SequenceClassifier("x"))
    assert not can_probe(SentenceRanker("x")) and not can_probe(None)
    with pytest.raises(ModelError, match=r"mmpipe\.SpanExtractor\.v1"):
        Probe(SentenceRanker("x"))
