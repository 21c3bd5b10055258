"""Models that need no weights and no torch: what they say follows from the text alone, the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from spacy.util import registry
from thinc.api import Model


@registry.architectures("mmpipe.FakeClassifier.v1")
def fake_classifier(labels: Sequence[str] = ("negative", "positive"), seed: int = 0) -> Model:
    """A thinc model whose `predict(texts)` gives probabilities, (n_texts, n_labels); each row sums to 1.

    They are drawn by a hash of the text. labels: at least one; they stand in `model.attrs["labels"]`.
    seed: equal seeds give equal probabilities, in every process.
    Raises ValueError where there is no label.
    """
    if not labels:
        raise ValueError("a classifier needs at least one label, got none")
    attrs = {"labels": list(labels), "seed": seed}
    return Model("mmpipe.FakeClassifier.v1", _classify, attrs=attrs)


@registry.architectures("mmpipe.FakeEmbedder.v1")
def fake_embedder(width: int = 16, seed: int = 0) -> Model:
    """A thinc model whose `predict(texts)` gives vectors, (n_texts, width), of length 1; zeros for a text of no words.

    A text's vector is the sum of its words', drawn by their hashes, so that texts that share words are alike.
    width: at least 1. seed: as for `fake_classifier`. Raises ValueError for a smaller width.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    return Model("mmpipe.FakeEmbedder.v1", _embed, attrs={"width": width, "seed": seed})


def _classify(model: Model, texts: Sequence[str], is_train: bool) -> tuple[np.ndarray, object]:
    n_labels = len(model.attrs["labels"])
    logits = np.asarray([_drawn(text, n_labels, model.attrs["seed"]) for text in texts]).reshape(len(texts), n_labels)
    weights = np.exp(logits)
    return weights / weights.sum(axis=1, keepdims=True), _no_gradient


def _embed(model: Model, texts: Sequence[str], is_train: bool) -> tuple[np.ndarray, object]:
    width, seed = model.attrs["width"], model.attrs["seed"]
    rows = np.zeros((len(texts), width))
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row += _drawn(word, width, seed)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0), _no_gradient


def _drawn(text: str, n: int, seed: int) -> np.ndarray:
    """Numbers of a normal distribution that follow from the text: (n,)."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(8, "little"))
    return np.random.default_rng(int.from_bytes(digest.digest(), "little")).normal(size=n)


def _no_gradient(gradient: object) -> list:
    return []
