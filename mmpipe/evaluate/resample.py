"""Confidence intervals by resampling records: the percentile bootstrap.

Efron and Tibshirani 1993, "An Introduction to the Bootstrap". Whole records are drawn, with all the pairs that they
give, for two questions about one text are not two independent observations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Recount = Callable[[np.ndarray], dict[str, float]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Resampling:
    """n: how many resamples, 0 for no intervals. confidence: of the intervals, 0 to 1. seed: of the drawing."""

    n: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def draws(self, pairs_of: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Indices of pairs, a resample at a time. pairs_of: those of each record."""
        rng = np.random.default_rng(self.seed)
        flat = np.concatenate(pairs_of) if len(pairs_of) else np.array([], dtype=int)
        is_one_each = all(len(own) == 1 for own in pairs_of)
        for _ in range(self.n if len(pairs_of) else 0):
            drawn = rng.integers(0, len(pairs_of), len(pairs_of))
            yield flat[drawn] if is_one_each else np.concatenate([pairs_of[i] for i in drawn])

    def percentiles(self, values: np.ndarray) -> Interval:
        """The interval that holds the middle `confidence` of the values; those that are nan do not count."""
        known = values[np.isfinite(values)]
        if not len(known):
            return float("nan"), float("nan")
        beside = 50 * (1 - self.confidence)
        low, high = np.percentile(known, [beside, 100 - beside])
        return float(low), float(high)


def intervals(recount: Recount, pairs_of: Sequence[np.ndarray], resampling: Resampling) -> dict[str, Interval]:
    """The interval of each figure; {} where there are no resamples."""
    rows = [recount(chosen) for chosen in resampling.draws(pairs_of)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: resampling.percentiles(np.array([row.get(name, np.nan) for row in rows])) for name in names}


@dataclass(frozen=True)
class Difference:
    """How far one's figure lies above another's on the same records.

    p_value: two-sided, the chance of a resample on the other side of nothing; None without resamples.
    """

    value: float
    interval: Interval | None
    p_value: float | None


def differences(
    one: Recount, other: Recount, pairs_of: Sequence[np.ndarray], pairs_of_other: Sequence[np.ndarray], by: Resampling
) -> dict[str, Difference]:
    """One minus the other, of each figure that both have, over the same records and the same resamples of them."""
    both = one(np.concatenate(pairs_of)), other(np.concatenate(pairs_of_other))
    rows = [
        (one(mine), other(theirs)) for mine, theirs in zip(by.draws(pairs_of), by.draws(pairs_of_other), strict=True)
    ]
    found = {}
    for name in both[0].keys() & both[1].keys():
        value = both[0][name] - both[1][name]
        drawn = np.array([mine.get(name, np.nan) - theirs.get(name, np.nan) for mine, theirs in rows])
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            found[name] = Difference(value, None, None)
            continue
        # One more on either side: a share of no resamples is no proof.
        tails = ((drawn <= 0).sum() + 1, (drawn >= 0).sum() + 1)
        found[name] = Difference(value, by.percentiles(drawn), float(min(1.0, 2 * min(tails) / (len(drawn) + 1))))
    return {name: found[name] for name in both[0] if name in found}
