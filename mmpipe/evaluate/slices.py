"""Parts of the records by what one of their fields says."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MAX_NUMBERS, N_BINS, MAX_VALUES = 10, 4, 30
MISSING, OTHERS = "(missing)", "(other values)"


def slices(records: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[int]]:
    """Indices of the records by what stands under `key`, which may be dotted for a value within a value.

    More than MAX_NUMBERS different numbers, also where a table spells them, are put into N_BINS bins of about as many
    records each; of other values the MAX_VALUES commonest have a slice of their own, the rest one together; a list
    puts a record into the slice of each of its items.
    """
    values = [_value(record, key) for record in records]
    spelt = _spelt(values)
    numbers = [value for value in spelt if _is_number(value)]
    if len(set(numbers)) > MAX_NUMBERS and all(_is_number(value) or value is None for value in spelt):
        return _binned(spelt, numbers)
    told = [
        [_told(one) for one in value] or ["(none)"] if isinstance(value, list) else [_told(value)] for value in values
    ]
    counts = Counter(name for names in told for name in dict.fromkeys(names))
    kept = {name for name, _ in counts.most_common(MAX_VALUES)}
    if len(counts) == MAX_VALUES + 1:
        kept = set(counts)
    found: dict[str, list[int]] = {}
    for index, names in enumerate(told):
        for name in dict.fromkeys(name if name in kept else OTHERS for name in names):
            found.setdefault(name, []).append(index)
    return {name: found[name] for name in sorted(found, key=lambda name: (name in (MISSING, OTHERS), name))}


def _binned(values: Sequence[Any], numbers: Sequence[float]) -> dict[str, list[int]]:
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, N_BINS + 1)))
    which = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    # As many digits as tell the edges apart: large numbers lie close together.
    told = next(
        told
        for told in ([f"{edge:.{n}g}" for edge in edges] for n in range(6, 18))
        if np.abs(np.array(told, dtype=float) - edges).max() <= np.diff(edges).min() / 100
    )
    # A bin holds its lower edge; the last holds both.
    names = [
        f"{low} to {'' if i == len(edges) - 2 else 'below '}{high}"
        for i, (low, high) in enumerate(itertools.pairwise(told))
    ]
    found: dict[str, list[int]] = {name: [] for name in names}
    bins = iter(which)
    for index, value in enumerate(values):
        found.setdefault(MISSING if value is None else names[next(bins)], []).append(index)
    return {name: indices for name, indices in found.items() if indices}


def _value(record: Mapping[str, Any], key: str) -> Any:
    if key in record:
        return record[key]
    value: Any = record
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _spelt(values: Sequence[Any]) -> Sequence[Any]:
    """The numbers that the values of a table spell, None where one is empty; the values where they are not of that."""
    if not all(value is None or isinstance(value, str) for value in values):
        return values
    try:
        numbers = [float(value) if value and value.strip() else None for value in values]
    except ValueError:
        return values
    return numbers if all(number is None or math.isfinite(number) for number in numbers) else values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return MISSING
    text = (
        str(value).lower() if isinstance(value, bool) else f"{value:.12g}" if isinstance(value, float) else str(value)
    )
    return text if len(text) <= 80 else text[:77] + "..."
