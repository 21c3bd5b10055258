"""Whether probabilities mean what they say, and the temperature that makes them.

Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import math

import numpy as np

N_BINS = 15
LOWEST, HIGHEST = 0.02, 50.0
"""Temperatures looked at. A fit that ends at one of them has found nothing in between."""
_TINY = 1e-30


def reliability(confidence: np.ndarray, is_right: np.ndarray, n_bins: int = N_BINS) -> tuple[np.ndarray, ...]:
    """For each bin of equal width that is not empty: its share of the items, mean confidence, share that is right.

    confidence: 0 to 1, shape (n_items,); is_right: bool, shape (n_items,). A bin holds its upper edge.
    """
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    sums = np.bincount(bins, confidence, n_bins), np.bincount(bins, is_right.astype(float), n_bins)
    filled = counts > 0
    return counts[filled] / counts.sum(), sums[0][filled] / counts[filled], sums[1][filled] / counts[filled]


def expected_calibration_error(confidence: np.ndarray, is_right: np.ndarray, n_bins: int = N_BINS) -> float:
    """How far, on average, confidence lies from the share that is right (0 to 1)."""
    share, mean_confidence, accuracy = reliability(confidence, is_right, n_bins)
    return float((share * np.abs(mean_confidence - accuracy)).sum())


def negative_log_likelihood(probabilities: np.ndarray, is_gold: np.ndarray, *, is_independent: bool = False) -> float:
    """The mean over items, in nats; where labels are independent, over items and labels.

    probabilities: shape (n_items, n_labels). is_gold: bool of the same shape.
    """
    if is_independent:
        return float(-np.log(np.maximum(np.where(is_gold, probabilities, 1 - probabilities), _TINY)).mean())
    return float(-np.log(np.maximum(probabilities[is_gold], _TINY)).mean())


def with_temperature(probabilities: np.ndarray, temperature: float, *, is_independent: bool = False) -> np.ndarray:
    """What the probabilities were, had the logits been divided by `temperature`; shape (n_items, n_labels)."""
    if is_independent:
        safe = np.clip(probabilities.astype(float), 1e-12, 1 - 1e-7)
        return 1 / (1 + np.exp(-(np.log(safe) - np.log1p(-safe)) / temperature))
    logits = np.log(np.maximum(probabilities.astype(float), _TINY)) / temperature
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, is_gold: np.ndarray, *, is_independent: bool = False) -> float:
    """The temperature of least negative log likelihood, between LOWEST and HIGHEST.

    probabilities: of a softmax over the labels, or of a sigmoid each where they are independent; (n_items, n_labels).
    is_gold: bool of the same shape, one label an item unless they are independent.
    """

    def loss(log_temperature: float) -> float:
        warm = with_temperature(probabilities, math.exp(log_temperature), is_independent=is_independent)
        return negative_log_likelihood(warm, is_gold, is_independent=is_independent)

    # The loss is convex in 1/T, so it has one valley in log T: golden-section search.
    low, high, share = math.log(LOWEST), math.log(HIGHEST), (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-6:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)
