"""Finds personal data in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from mmpipe_privacy.addresses import emails, ips, urls
from mmpipe_privacy.normal import normal
from mmpipe_privacy.numbers import cards, ibans
from mmpipe_privacy.patterns import Patterns
from mmpipe_privacy.phones import phones
from mmpipe_privacy.spans import Found, Kept, resolve

PATTERN_KINDS = ("email", "url", "iban", "card", "ip", "phone")
NAME_KINDS: Mapping[str, frozenset[str]] = {
    "person": frozenset({"PERSON", "PER"}),
    "place": frozenset({"GPE", "LOC", "FAC"}),
    "organisation": frozenset({"ORG"}),
}
"""Kinds that an entity recogniser finds, and its labels for them."""
KINDS = (*PATTERN_KINDS, *NAME_KINDS)
_LEAST_VALUE, _LEAST_NAME = 5, 3
_FIRST_WITHOUT_SPACES = 0x2E80


class Finder:
    """Finds what its kinds are, each piece once.

    kinds: of KINDS; those of the patterns come on top, and first where pieces overlap. phone_regions: see phones.
    patterns: of the user's own. allow: values that are left alone, as they are written but for case, width and spaces;
    `@example.com` leaves all addresses there.
    ranks: kind -> its rank where pieces overlap.
    """

    def __init__(
        self, kinds: Iterable[str], *, phone_regions: Sequence[str] = (), patterns: Patterns, allow: Iterable[str] = ()
    ) -> None:
        self.kinds = frozenset((*kinds, *patterns.kinds))
        self.ranks = {kind: rank for rank, kind in enumerate((*patterns.kinds, *KINDS))}
        self._patterns, self._regions = patterns, tuple(phone_regions)
        self._allowed = frozenset(map(_folded, allow))

    def find(self, text: str, names: Iterable[Found] = ()) -> list[Found]:
        """What stands in a text, in order, none over another; a value that was found once, wherever it stands.

        names: what an entity recogniser found, of its kinds. Raises RecordError where a pattern takes too long.
        """
        candidates = [*self._candidates(text), *(name for name in names if name.kind in self.kinds)]
        kept = resolve((one for one in candidates if not self._is_allowed(one, text)), self.ranks)
        values = {text[one.start : one.end]: one.kind for one in kept}
        spread(text, values, kept)
        return list(kept)

    def _candidates(self, text: str) -> Iterator[Found]:
        plain = normal(text)
        detectors: dict[str, Callable[[str], Iterator[Found]]] = {
            "email": emails,
            "url": urls,
            "iban": ibans,
            "card": cards,
            "ip": ips,
            "phone": lambda text: phones(text, self._regions),
        }
        for kind, find in detectors.items():
            if kind in self.kinds:
                yield from find(plain)
        yield from self._patterns.find(text)

    def _is_allowed(self, found: Found, text: str) -> bool:
        if not self._allowed:
            return False
        value = _folded(text[found.start : found.end])
        return value in self._allowed or (found.kind == "email" and value[value.rindex("@") :] in self._allowed)


def spread(text: str, values: Mapping[str, str], kept: Kept) -> None:
    """Add where else values stand that were found before, inside longer words of other characters too.

    values: value -> kind. Numbers are not found in longer numbers, nor words in longer words.
    """
    for value, kind in sorted(values.items(), key=lambda pair: (-len(pair[0]), pair[0])):
        if len(value) < (_LEAST_NAME if kind in NAME_KINDS else _LEAST_VALUE) and value.isascii():
            continue
        start = text.find(value)
        while start >= 0:
            end = start + len(value)
            if not (_is_one_word(text[start - 1 : start], value[0]) or _is_one_word(text[end : end + 1], value[-1])):
                kept.add(Found(kind, start, end))
            start = text.find(value, end)


def _is_one_word(beside: str, edge: str) -> bool:
    """Whether two neighbours belong to one number or one word."""
    if not beside:
        return False
    if beside.isdecimal() and edge.isdecimal():
        return True
    return beside.isalpha() and edge.isalpha() and max(map(ord, (beside, edge))) < _FIRST_WITHOUT_SPACES


def _folded(value: str) -> str:
    return "".join(normal(value).split()).casefold()
