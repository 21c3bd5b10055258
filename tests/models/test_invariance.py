"""A result depends on its text alone: not on the batch, its size, or the order. To the last bit on a processor."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from mmpipe.errors import MmpipeError
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.testing import AWKWARD_TEXTS, CLASSIFIERS, SEQ2SEQ

# The 100,000 characters are cut here, where every text is read many times; they are whole further down.
TEXTS = [text[:2000] for text in AWKWARD_TEXTS.values()] + ["this film is good " * n for n in range(1, 9)]
LABELS = ("bad", "good")


def ways_to_run(build, texts: list) -> dict[str, list]:
    """The same texts one at a time, together, in another order, and under other budgets; in their own order."""
    order = random.Random(0).sample(range(len(texts)), len(texts))
    alone = build(batch_tokens=2048)
    shuffled = dict(zip(order, alone.predict([texts[i] for i in order]), strict=True))
    return {
        "alone": [alone.predict([text])[0] for text in texts],
        "together": alone.predict(texts),
        "shuffled": [shuffled[i] for i in range(len(texts))],
        "small batches": build(batch_tokens=100).predict(texts),
        "one batch a length": build(batch_tokens=10**6).predict(texts),
    }


@pytest.fixture(scope="module")
def tolerance() -> dict[str, float]:
    """Nothing, where 16 rows or more of a product do not depend on how many they are; see models/steady.py."""
    torch.manual_seed(0)
    weights, rows = torch.randn(32, 32), torch.randn(512, 32)
    whole = rows @ weights.T
    is_steady = all(torch.equal(rows[:n] @ weights.T, whole[:n]) for n in (*range(16, 33), 64, 256))
    return {"fp32": 0.0, "bf16": 0.0} if is_steady else {"fp32": 1e-5, "bf16": 2e-2}


def assert_same(runs: dict[str, list], field: str, tolerance: float) -> None:
    expected = [getattr(result, field) for result in runs["alone"]]
    for way, results in runs.items():
        for text, want, result in zip(TEXTS, expected, results, strict=True):
            got = getattr(result, field)
            assert (got is None) == (want is None), f"{way}: {text[:40]!r}"
            if want is not None:
                np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=f"{way}: {text[:40]!r}")


def test_repeated_texts_are_computed_once(tiny, monkeypatch):
    model = SequenceClassifier(tiny("bert", labels=LABELS), precision="fp32", device="cpu", max_tokens=32)
    texts = ["a good film", "so " * 100, "a bad film"]
    alone = model.predict(texts)
    module, n_rows = shim_of(model).module, []
    forward = module.forward
    monkeypatch.setattr(
        module, "forward", lambda **inputs: n_rows.append(len(inputs["input_ids"])) or forward(**inputs)
    )
    model.predict(texts)
    n_distinct = sum(n_rows)
    n_rows.clear()
    repeated = model.predict([texts[i % 3] for i in range(30)])
    assert sum(n_rows) == n_distinct
    for i, found in enumerate(repeated):
        np.testing.assert_array_equal(found.logits, alone[i % 3].logits)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_classifier(tiny, family, precision, tolerance):
    folder = tiny(family, labels=LABELS)
    runs = ways_to_run(lambda **o: SequenceClassifier(folder, precision=precision, device="cpu", **o), TEXTS)
    assert_same(runs, "logits", tolerance[precision])


@pytest.mark.parametrize(("precision", "far"), [("fp16", 0.02), ("bf16", 0.2)])
@pytest.mark.parametrize("family", CLASSIFIERS)
def test_half_precision_is_near(tiny, family, precision, far):
    wanted, got = (
        SequenceClassifier(tiny(family, labels=LABELS), precision=one, device="cpu").predict(TEXTS)
        for one in ("fp32", precision)
    )
    pairs = [
        (one.probabilities, two.probabilities) for one, two in zip(wanted, got, strict=True) if one.logits is not None
    ]
    assert sum(np.abs(one - two).max() > far for one, two in pairs) <= len(pairs) // 10
    assert any(not np.array_equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_ranker(tiny, precision, tolerance):
    folder = tiny("bert")

    documents = [[text, TEXTS[-1]] for text in TEXTS]
    runs = ways_to_run(lambda **o: SentenceRanker(folder, precision=precision, device="cpu", **o), documents)
    assert_same(runs, "embeddings", tolerance[precision])
    assert_same(runs, "scores", tolerance[precision])


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("family", SEQ2SEQ)
def test_seq2seq(tiny, family, num_beams):
    folder = tiny(family)
    texts = [text[:150] for text in TEXTS]
    runs = ways_to_run(lambda **o: Seq2Seq(folder, device="cpu", num_beams=num_beams, **o), texts)
    assert len({result.text for result in runs["alone"]}) > 5
    for results in runs.values():
        assert results == runs["alone"]


@pytest.mark.parametrize("family", [*CLASSIFIERS, *SEQ2SEQ])
def test_every_awkward_text_gives_a_result_or_a_named_error(tiny, family):
    """Whole, with windows; generation is cut to two tokens a window, of which 100,000 characters have many."""
    if family in SEQ2SEQ:
        model = Seq2Seq(tiny(family), device="cpu", max_new_tokens=2, batch_tokens=8192)
    else:
        model = SequenceClassifier(tiny(family, labels=LABELS), device="cpu", precision="fp32", batch_tokens=8192)
    for name, text in AWKWARD_TEXTS.items():
        try:
            [result] = model.predict([text])
        except MmpipeError:
            continue
        assert result.coverage == 1.0, name
        if family in CLASSIFIERS and result.logits is None:
            assert not text.strip(), name
        elif family in CLASSIFIERS:
            assert np.isfinite(result.logits).all(), name
            assert result.probabilities.sum() == pytest.approx(1, abs=1e-5), name
