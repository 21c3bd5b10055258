"""Choice of the sentences of an extractive summary from their scores."""

from __future__ import annotations

import numpy as np

__all__ = ["select_sentences"]


def select_sentences(
    scores: np.ndarray,
    embeddings: np.ndarray,
    n_pieces: np.ndarray | None = None,
    *,
    n_sents: int | None = None,
    ratio: float | None = None,
    max_tokens: int | None = None,
    diversity: float = 0.1,
) -> list[int]:
    """Pick sentences greedily by maximal marginal relevance (MMR, Carbonell & Goldstein 1998).

    Each step takes the sentence with the highest `(1 - diversity) * score - diversity * max cosine to
    those already taken`, scores being brought to 0..1 within the document; MMR's lambda is
    `1 - diversity`. It ends when a budget is spent. Budgets may be combined; the tightest one holds.
    With `max_tokens`, a sentence that no longer fits is passed over for the next one that does; if not
    even one fits, the best sentence is returned alone, so that a summary is never empty.

    scores: any real scores, higher is better, (n_sents,).
    embeddings: L2-normalised sentence embeddings, (n_sents, width).
    n_pieces: length of each sentence, in the unit of `max_tokens`, (n_sents,).
    n_sents: most sentences to take.
    ratio: most sentences to take, as a part of the document's, 0 < ratio <= 1; at least one is taken.
    max_tokens: most tokens to take in all.
    diversity: weight of redundancy, 0 (scores only) to 1.
    RETURNS: indices of the chosen sentences, in document order.
    """
    if n_sents is None and ratio is None and max_tokens is None:
        raise ValueError("one of n_sents, ratio and max_tokens is needed")
    if n_sents is not None and n_sents < 1:
        raise ValueError(f"n_sents must be at least 1, not {n_sents}")
    if ratio is not None and not 0.0 < ratio <= 1.0:
        raise ValueError(f"ratio must be over 0 and at most 1, not {ratio}")
    if max_tokens is not None and n_pieces is None:
        raise ValueError("max_tokens needs n_pieces")
    if not 0.0 <= diversity <= 1.0:
        raise ValueError(f"diversity must be from 0 to 1, not {diversity}")
    total = len(scores)
    if total == 0:
        return []
    most = total if n_sents is None else min(n_sents, total)
    if ratio is not None:
        most = min(most, max(1, round(ratio * total)))
    lengths = np.zeros(total) if n_pieces is None else np.asarray(n_pieces)
    room = float("inf") if max_tokens is None else float(max_tokens)
    relevance = (1.0 - diversity) * _unit_range(np.asarray(scores, dtype=np.float64))
    vectors = np.asarray(embeddings, dtype=np.float64)
    redundancy = np.zeros(total)
    left = np.ones(total, dtype=bool)
    chosen: list[int] = []
    while len(chosen) < most:
        fits = left & (lengths <= room)
        if not fits.any():
            break
        best = int(np.argmax(np.where(fits, relevance - diversity * redundancy, -np.inf)))
        chosen.append(best)
        left[best] = False
        room -= float(lengths[best])
        cosine = vectors @ vectors[best]
        redundancy = cosine if len(chosen) == 1 else np.maximum(redundancy, cosine)
    if not chosen:
        chosen = [int(np.argmax(relevance))]
    return sorted(chosen)


def _unit_range(scores: np.ndarray) -> np.ndarray:
    """Shift and scale scores to 0..1; equal scores all become 1: (n_sents,)."""
    low, high = float(scores.min()), float(scores.max())
    if high - low < 1e-12:
        return np.ones_like(scores)
    return (scores - low) / (high - low)
