"""Ways of doing the same work, timed in turns: a slow spell of the machine meets them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Way:
    """One way: `do()` gives its outputs. seconds: of each round."""

    name: str
    do: Callable[[], Any]
    seconds: list[float] = field(default_factory=list)
    outputs: Any = None


def race(ways: list[Way], rounds: int) -> None:
    """Each way once to warm up, whose outputs are kept, then `rounds` times in turns."""
    for number in range(rounds + 1):
        for way in ways:
            began = time.perf_counter()
            outputs = way.do()
            if number:
                way.seconds.append(time.perf_counter() - began)
            else:
                way.outputs = outputs


def told(way: Way, base: Way, n: int, agreement: str) -> str:
    """A row of a table: n things a second, and how many times as fast as `base`, least to most of all rounds."""
    rate = n / statistics.median(way.seconds)
    ratios = sorted(theirs / ours for ours, theirs in zip(way.seconds, base.seconds, strict=True))
    middle = statistics.median(ratios)
    return f"| {way.name} | {rate:.1f} | {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {agreement} |"


def fastest(ways: list[Way]) -> Way:
    """The one with the least median."""
    return min(ways, key=lambda way: statistics.median(way.seconds))
