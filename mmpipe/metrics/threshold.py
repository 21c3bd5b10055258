"""The best threshold on a score, and what each threshold gives."""

from __future__ import annotations

import numpy as np


def sweep(scores: np.ndarray, if_given: np.ndarray, if_held_back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds, rising, and the mean gain where an item is given if its score is at most the threshold.

    scores, if_given, if_held_back: shape (n_items,). The first threshold lies below every score and gives nothing;
    the others are the distinct scores.
    """
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    totals = if_held_back.sum() + np.cumsum((if_given - if_held_back)[order])
    # Items of one score are given together.
    is_last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    thresholds = np.concatenate([[np.nextafter(sorted_scores[0], -np.inf)], sorted_scores[is_last]])
    return thresholds, np.concatenate([[if_held_back.sum()], totals[is_last]]) / len(scores)


def best_threshold(scores: np.ndarray, if_given: np.ndarray, if_held_back: np.ndarray) -> tuple[float, float]:
    """The highest mean gain of `sweep`, and the lowest threshold that reaches it."""
    thresholds, means = sweep(scores, if_given, if_held_back)
    best = int(np.argmax(means))
    return float(means[best]), float(thresholds[best])
