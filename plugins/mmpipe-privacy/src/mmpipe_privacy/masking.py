"""A text with its replacements, and where its places have gone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class Masking:
    """A text of which pieces were replaced.

    pieces: (start, end, replacement), in characters of the text, in order, none over another.
    text: as it was. masked: as it is now.
    """

    def __init__(self, text: str, pieces: Sequence[tuple[int, int, str]]) -> None:
        self.text = text
        self._pieces = list(pieces)
        self._starts = [start for start, _, _ in pieces]
        self._shifts: list[int] = []
        parts, done, shift = [], 0, 0
        for start, end, replacement in pieces:
            parts += [text[done:start], replacement]
            self._shifts.append(shift)
            shift += len(replacement) - (end - start)
            done = end
        self.masked = "".join([*parts, text[done:]])

    def start(self, place: int) -> int:
        """Where a piece of the text that starts there starts now: inside of a replacement, before it."""
        return self._moved(place, is_end=False)

    def end(self, place: int) -> int:
        """Where a piece that ends there ends now: inside of a replacement, behind it."""
        return self._moved(place, is_end=True)

    def _moved(self, place: int, *, is_end: bool) -> int:
        # An end at the beginning of a piece is in front of it, a start there is at its beginning.
        index = bisect_right(self._starts, place - is_end) - 1
        if index < 0:
            return place
        start, end, replacement = self._pieces[index]
        at = start + self._shifts[index]
        if place < end or (is_end and place == end):
            return at + (len(replacement) if is_end else 0)
        return place + self._shifts[index] + len(replacement) - (end - start)
