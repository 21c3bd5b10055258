"""Patterns of a user's own, which are data from anywhere: checked when they are read, stopped when they run away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import regex

from mmpipe import ConfigError, RecordError
from mmpipe_privacy.spans import Found


class Patterns:
    """Regular expressions by the kind that they find.

    patterns: kind -> expression, in the syntax of the library `regex`. max_seconds: for all of them in one text.
    where: what an error calls them. Raises ConfigError for one that is not valid, or that matches nothing at all.
    """

    def __init__(self, patterns: Mapping[str, str], *, max_seconds: float, where: str) -> None:
        self._max_seconds = max_seconds
        self._compiled = {kind: _compiled(pattern, f"{where}.{kind}") for kind, pattern in patterns.items()}

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._compiled)

    def find(self, text: str) -> Iterator[Found]:
        """Raises RecordError where they take longer than they may."""
        ends = time.monotonic() + self._max_seconds
        for kind, pattern in self._compiled.items():
            try:
                for match in pattern.finditer(text, timeout=max(ends - time.monotonic(), 1e-3)):
                    yield Found(kind, match.start(), match.end())
            except TimeoutError:
                raise RecordError(
                    f"the pattern {kind!r} has not come to an end after {self._max_seconds:g} seconds in a text of "
                    f"{len(text):,} characters",
                    next_step="write it without repetitions inside repetitions, or raise pattern_seconds",
                ) from None


def _compiled(pattern: str, where: str) -> regex.Pattern[str]:
    try:
        found = regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"is no regular expression: {error}", where=where, next_step="mend it, or take it out"
        ) from None
    if found.fullmatch(""):
        raise ConfigError(
            "matches the empty text, which is everywhere", where=where, next_step="ask for one character at least"
        )
    return found
