"""The gold of a summariser: what a record's summary says of each sentence of the document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_WORD = re.compile(r"\w+")
TITLE_SHARE, TEMPERATURE = 0.5, 0.05
"""How much of the target a title decides, and how sharply overlap is turned into shares."""


def summaries_of(record: Mapping[str, Any]) -> list[str]:
    """The summaries that a record holds: `summary`, `summaries` or `highlights`; [] for none."""
    found = record.get("summary") or record.get("summaries") or record.get("highlights") or []
    found = [found] if isinstance(found, str) else found
    return [text for text in found if isinstance(text, str) and text.strip()]


def shares(sentences: Sequence[str], record: Mapping[str, Any]) -> np.ndarray:
    """What share of the summary each sentence should have, float32, shape (n_sents,), sum 1.

    A softmax of each sentence's overlap with the summary. Where the record has a `title`, the summary is taken for
    one that was put together of sentences of the text: half goes to those, evenly, and half to the softmax of
    the overlap with the title, which decides which of them come first. Where no sentence was copied, it was not, and
    the title does not count.
    """
    summary = summaries_of(record)[0]
    title = record.get("title")
    taken = membership(sentences, summary)
    has_title = isinstance(title, str) and bool(_words(title)) and taken.any()
    close = _softmax(np.array([overlap(sentence, str(title) if has_title else summary) for sentence in sentences]))
    if not has_title:
        return close
    return ((1.0 - TITLE_SHARE) * taken / float(taken.sum()) + TITLE_SHARE * close).astype(np.float32)


def membership(sentences: Sequence[str], summary: str) -> np.ndarray:
    """1 for a sentence that the summary copied, known by most of its word trigrams, shape (n_sents,)."""
    found = set(_grams(_words(summary), 3))
    taken = np.zeros(len(sentences), dtype=np.float32)
    for row, sentence in enumerate(sentences):
        runs = _grams(_words(sentence), 3)
        taken[row] = bool(runs) and sum(run in found for run in runs) >= 0.75 * len(runs)
    return taken


def overlap(sentence: str, reference: str) -> float:
    """Mean F1 of words and word pairs that two texts share (ROUGE-1 and ROUGE-2 without stemming), 0 to 1."""
    total = 0.0
    for size in (1, 2):
        left, right = Counter(_grams(_words(sentence), size)), Counter(_grams(_words(reference), size))
        total += sum((left & right).values()) / max(1, sum(left.values()) + sum(right.values()))
    return total


def _softmax(values: np.ndarray) -> np.ndarray:
    exponents = np.exp((values - values.max()) / TEMPERATURE)
    return (exponents / exponents.sum()).astype(np.float32)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _grams(tokens: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
