"""Slices: every record in one, and names that a reader understands."""

from __future__ import annotations

import pytest

from mmpipe.evaluate.slices import MAX_VALUES, MISSING, OTHERS, slices


def test_values() -> None:
    records = [{"style": "plain"}, {"style": "oblique"}, {}, {"style": "plain"}, {"style": None}, {"style": True}]
    assert slices(records, "style") == {"oblique": [1], "plain": [0, 3], "true": [5], MISSING: [2, 4]}
    assert slices([{"style": ""}, {"style": "plain"}], "style") == {"plain": [1], MISSING: [0]}


def test_values_within_values_and_lists() -> None:
    records = [{"a": {"b": 1}}, {"a": {"b": 2}}, {"a": 5}, {"a.b": 2}]
    assert slices(records, "a.b") == {"1": [0], "2": [1, 3], MISSING: [2]}
    assert slices([{"t": ["x", "y", "x"]}, {"t": ["y"]}, {"t": []}], "t") == {"(none)": [2], "x": [0], "y": [0, 1]}


@pytest.mark.parametrize(
    "values",
    [
        list(range(100)),
        [i / 7 for i in range(40)],
        [0] * 50 + list(range(30)),
        [1_700_000_000 + i for i in range(40)],
        [1 + i * 1e-9 for i in range(40)],
    ],
)
def test_many_numbers_are_binned(values: list[float]) -> None:
    found = slices([{"n": value} for value in values] + [{}], "n")
    assert sorted(i for indices in found.values() for i in indices) == list(range(len(values) + 1))
    assert found.pop(MISSING) == [len(values)] and 2 <= len(found) <= 4
    for name, indices in found.items():
        low, _, high = name.replace("below ", "").partition(" to ")
        for i in indices:
            assert float(low) - 1e-3 <= values[i] <= float(high) + 1e-3
            assert "below" not in name or values[i] < float(high) + 1e-3


def test_large_numbers_have_bins_of_their_own() -> None:
    found = slices([{"n": 1_700_000_000 + i} for i in range(101)], "n")
    assert list(map(len, found.values())) == [25, 25, 25, 26]
    assert next(iter(found)) == "1700000000 to below 1700000025"


def test_numbers_that_a_table_spells_are_binned() -> None:
    found = slices([{"n": str(i)} for i in range(100)] + [{"n": ""}], "n")
    assert list(map(len, found.values())) == [25, 25, 25, 25, 1] and list(found)[-1] == MISSING
    assert set(slices([{"n": "007"}, {"n": "7"}], "n")) == {"007", "7"}


def test_few_numbers_are_values() -> None:
    assert len(slices([{"n": 1234567.5}, {"n": 1234568.5}], "n")) == 2
    assert list(slices([{"stars": stars} for stars in (1, 2, 5, 1)], "stars")) == ["1", "2", "5"]


def test_too_many_values_stand_together() -> None:
    records = [{"w": f"w{i}"} for i in range(100)] + [{"w": "often"}] * 2
    found = slices(records, "w")
    assert len(found) == MAX_VALUES + 1 and found["often"] == [100, 101]
    assert list(found)[-1] == OTHERS and sum(map(len, found.values())) == 102
