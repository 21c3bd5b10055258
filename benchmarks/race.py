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


def race(ways: list[Way], rounds: int, *, is_warm: bool = False) -> None:
    """Each way `rounds` times in turns, after once to warm up; is_warm: all have run on something else before. The
    outputs of the first time are kept."""
    for number in range(rounds if is_warm else rounds + 1):
        for way in ways:
            began = time.perf_counter()
            outputs = way.do()
            if number or is_warm:
                way.seconds.append(time.perf_counter() - began)
            if not number:
                way.outputs = outputs


def compare(
    title: str,
    others: list[Way],
    ours: list[Way],
    n: int,
    rounds: int,
    agree: Callable[[Way], str],
    *,
    is_warm: bool = False,
) -> None:
    """Run the race and print its table: n documents a second, and how many times as fast as the fastest of `others`,
    with the least and most of all rounds. agree: how far the outputs of a way are those wanted, in words. is_warm: see
    race."""
    race([*others, *ours], rounds, is_warm=is_warm)
    base = fastest(others)
    print(f"\n## {title}\n\n| way | documents a second | times as fast | agreement |\n|---|---|---|---|")
    for way in [*others, *ours]:
        print(f"| {way.name} | {n / statistics.median(way.seconds):.1f} | {spread(base, way)} | {agree(way)} |")


def fastest(ways: list[Way]) -> Way:
    """The one whose median of all rounds is the least."""
    return min(ways, key=lambda way: statistics.median(way.seconds))


def spread(one: Way, other: Way) -> str:
    """How many times as long as the other one takes: the median of all rounds, the least and the most."""
    ratios = sorted(a / b for a, b in zip(one.seconds, other.seconds, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def share(outputs: list[str], wanted: list[str]) -> float:
    """The share of outputs that are those wanted, but for white space around them."""
    return sum(a.strip() == b.strip() for a, b in zip(outputs, wanted, strict=True)) / len(wanted)
