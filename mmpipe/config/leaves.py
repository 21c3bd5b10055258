"""The leaves of a config tree: JSON data, not too many, not too deep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmpipe.errors import ConfigError
from mmpipe.plain import is_text

MAX_VALUES, MAX_DEPTH = 100_000, 50
"""Values in a tree, and its levels: YAML and `${...}` can write a tree of billions of values in a few lines."""


def check_leaves(tree: Any, where: str) -> None:
    """Raises ConfigError that names the first value or name that is no JSON data."""
    _check(tree, where, (), itertools.count())


def _check(value: Any, where: str, path: tuple[str, ...], counter: Iterator[int]) -> None:
    if next(counter) > MAX_VALUES:
        raise ConfigError(f"holds more than {MAX_VALUES:,} values", where=where, next_step="a pipeline needs few")
    place = f"{where}: {'.'.join(path[:8])}" if path else where
    if len(path) > MAX_DEPTH:
        raise ConfigError(f"is nested more than {MAX_DEPTH} levels deep", where=place, next_step="flatten it")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key or not is_text(key):
                raise ConfigError(f"{key!r} is not a name", where=place, next_step="names are non-empty strings")
            _check(item, where, (*path, key), counter)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, where, (*path, str(index)), counter)
    elif isinstance(value, str):
        if not is_text(value):
            raise ConfigError(f"{value!r} holds half a surrogate pair", where=place, next_step="replace it")
    elif value is not None and not isinstance(value, bool | int | float):
        raise ConfigError(
            f"{value!r} is a {type(value).__name__}; values are strings, numbers, booleans, null, lists and tables",
            where=place,
            next_step="put it in quotes",
        )
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"a number of {value.bit_length()} bits", where=place, next_step="write one of 64 at most")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{value} is no number", where=place, next_step="write a finite number")
