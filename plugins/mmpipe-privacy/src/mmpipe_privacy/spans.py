"""What was found in a text, and which of two that overlap stays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """A piece of a text.

    kind: such as "email". start, end: in characters. is_checked: whether more than its form was checked: the digits of
    a card or an IBAN, the numbering plan of a phone, the value of an address.
    """

    kind: str
    start: int
    end: int
    is_checked: bool = False


class Kept:
    """Pieces of one text, none over another."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._found: list[Found] = []

    def add(self, found: Found) -> bool:
        """Keep it, unless it is empty or overlaps what is kept already; whether it was kept."""
        place = bisect_left(self._starts, found.start)
        if found.start >= found.end:
            return False
        if place and self._found[place - 1].end > found.start:
            return False
        if place < len(self._found) and self._starts[place] < found.end:
            return False
        self._starts.insert(place, found.start)
        self._found.insert(place, found)
        return True

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._found)


def resolve(candidates: Iterable[Found], order: Mapping[str, int]) -> Kept:
    """Of pieces that overlap the longest stays; of equally long ones the kind that comes first, then the first.

    order: kind -> its rank.
    """
    kept = Kept()
    for found in sorted(candidates, key=lambda one: (one.start - one.end, order[one.kind], one.start)):
        kept.add(found)
    return kept
