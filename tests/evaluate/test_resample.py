"""Intervals, judged against scipy's bootstrap and what theory says of a mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from mmpipe.evaluate.resample import Resampling, differences, intervals


def mean_of(values: np.ndarray):
    return lambda chosen: {"mean": float(values[chosen].mean())}


def one_each(n: int) -> list[np.ndarray]:
    return [np.array([i]) for i in range(n)]


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_a_mean_has_the_interval_that_scipy_gives_it(confidence: float) -> None:
    values = np.random.default_rng(0).exponential(size=120)
    (low, high) = intervals(mean_of(values), one_each(120), Resampling(4000, confidence, 1))["mean"]
    judged = bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=4000, method="percentile", rng=2
    ).confidence_interval
    assert (low, high) == pytest.approx((judged.low, judged.high), abs=0.015)


def test_equal_seeds_give_equal_intervals() -> None:
    values = np.arange(50.0)
    first, again, other = (intervals(mean_of(values), one_each(50), Resampling(100, 0.95, seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert intervals(mean_of(values), one_each(50), Resampling(0)) == {}


def test_whole_records_are_drawn() -> None:
    """Ten equal pairs of one record say no more than one."""
    values = np.repeat(np.random.default_rng(0).normal(size=30), 10)
    pairs_of = [np.arange(10 * i, 10 * i + 10) for i in range(30)]
    low, high = intervals(mean_of(values), pairs_of, Resampling(2000))["mean"]
    wanted = 2 * 1.96 * values[::10].std() / np.sqrt(30)
    assert high - low == pytest.approx(wanted, rel=0.15)
    naive = np.subtract(*reversed(intervals(mean_of(values), one_each(300), Resampling(2000))["mean"]))
    assert naive < 0.5 * (high - low)


def test_figures_without_meaning_in_some_resamples() -> None:
    def recount(chosen: np.ndarray) -> dict[str, float]:
        return {"some": float("nan") if 0 in chosen else 1.0, "none": float("nan")}

    found = intervals(recount, one_each(5), Resampling(200))
    assert found["some"] == (1.0, 1.0) and np.isnan(found["none"]).all()


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    mine, theirs = hard + 0.1 + 0.2 * rng.normal(size=200), hard + 0.2 * rng.normal(size=200)
    found = differences(mean_of(mine), mean_of(theirs), one_each(200), one_each(200), Resampling(2000))["mean"]
    assert found.value == pytest.approx(np.mean(mine - theirs))
    low, high = found.interval
    spread = 2 * 1.96 * np.std(mine - theirs) / np.sqrt(200)
    assert high - low == pytest.approx(spread, rel=0.15)
    assert low > 0 and found.p_value < 0.01
    apart = [intervals(mean_of(v), one_each(200), Resampling(500))["mean"] for v in (mine, theirs)]
    assert apart[0][0] < apart[1][1], "alone they overlap: only the pairing tells them apart"
    same = differences(mean_of(mine), mean_of(mine), one_each(200), one_each(200), Resampling(200))["mean"]
    assert (same.value, same.interval, same.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_without_resamples_a_difference_has_no_interval() -> None:
    found = differences(mean_of(np.ones(3)), mean_of(np.zeros(3)), one_each(3), one_each(3), Resampling(0))["mean"]
    assert (found.value, found.interval, found.p_value) == (1.0, None, None)
