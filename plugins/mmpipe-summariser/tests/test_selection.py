"""The choice of sentences, against the formula of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpipe_summariser.selection import select_sentences


@st.composite
def documents(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, unit vectors and lengths of 1 to 9 sentences, some of them duplicates."""
    total = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = rng.normal(size=(total, 4))
    copies = draw(st.lists(st.integers(0, total - 1), min_size=total, max_size=total))
    vectors = vectors[copies] if draw(st.booleans()) else vectors
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return rng.normal(size=total), vectors, rng.integers(1, 12, size=total)


LENGTHS = st.fixed_dictionaries(
    {},
    optional={
        "n_sents": st.integers(1, 12),
        "ratio": st.floats(0.01, 1.0),
        "max_tokens": st.integers(1, 40),
    },
).filter(bool)


def by_the_paper(scores: np.ndarray, vectors: np.ndarray, n_sents: int, diversity: float) -> list[int]:
    """Carbonell & Goldstein (1998), equation 2, taken step by step."""
    spread = scores.max() - scores.min()
    relevance = (scores - scores.min()) / spread if spread else np.ones(len(scores))
    chosen: list[int] = []
    while len(chosen) < min(n_sents, len(scores)):
        values = {
            i: (1 - diversity) * relevance[i] - diversity * max((vectors[i] @ vectors[j] for j in chosen), default=0.0)
            for i in range(len(scores))
            if i not in chosen
        }
        chosen.append(max(values, key=values.__getitem__))
    return sorted(chosen)


@settings(deadline=None, max_examples=150)
@given(documents(), LENGTHS, st.floats(0, 1))
def test_every_budget_holds(document: Any, lengths: dict[str, Any], diversity: float) -> None:
    scores, vectors, n_pieces = document
    chosen = select_sentences(scores, vectors, n_pieces, diversity=diversity, **lengths)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= lengths.get("n_sents", len(scores))
    assert all(type(i) is int and 0 <= i < len(scores) for i in chosen)
    if "ratio" in lengths:
        assert len(chosen) <= max(1, lengths["ratio"] * len(scores) + 0.5)
    if "max_tokens" in lengths:
        assert n_pieces[chosen].sum() <= lengths["max_tokens"] or len(chosen) == 1
        if n_pieces.min() <= lengths["max_tokens"]:
            assert n_pieces[chosen].sum() <= lengths["max_tokens"]


@settings(deadline=None, max_examples=150)
@given(documents(), st.integers(1, 9), st.floats(0, 0.95))
def test_it_is_maximal_marginal_relevance(document: Any, n_sents: int, diversity: float) -> None:
    scores, vectors, _ = document
    chosen = select_sentences(scores, vectors, n_sents=n_sents, diversity=diversity)
    assert chosen == by_the_paper(scores, vectors, n_sents, diversity)


@settings(deadline=None, max_examples=50)
@given(documents(), st.integers(1, 9), st.floats(0.1, 50), st.floats(-9, 9))
def test_without_diversity_the_best_are_taken_on_any_scale(document: Any, n: int, scale: float, shift: float) -> None:
    scores, vectors, _ = document
    best = sorted(np.argsort(-scores)[:n].tolist())
    assert select_sentences(scores * scale + shift, vectors, n_sents=n, diversity=0.0) == best


def test_a_duplicate_gives_way_to_something_new() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = np.array([3.0, 2.9, 2.0])
    assert select_sentences(scores, vectors, n_sents=2, diversity=0.0) == [0, 1]
    assert select_sentences(scores, vectors, n_sents=2, diversity=0.6) == [0, 2]


def test_a_sentence_that_does_not_fit_is_passed_over() -> None:
    scores, lengths = np.array([3.0, 2.0, 1.0]), np.array([9, 5, 2])
    assert select_sentences(scores, np.eye(3), lengths, max_tokens=8) == [1, 2]
    assert select_sentences(scores, np.eye(3), lengths, max_tokens=1) == [0]


def test_no_sentences() -> None:
    assert select_sentences(np.zeros(0), np.zeros((0, 4)), n_sents=3) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "one of n_sents, ratio and max_tokens"),
        ({"n_sents": 0}, "n_sents must be at least 1, not 0"),
        ({"ratio": 0.0}, "ratio must be over 0"),
        ({"ratio": 1.1}, "at most 1, not 1.1"),
        ({"max_tokens": 5}, "max_tokens needs n_pieces"),
        ({"n_sents": 1, "diversity": 1.5}, "diversity must be from 0 to 1"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        select_sentences(np.ones(2), np.eye(2), **settings)
