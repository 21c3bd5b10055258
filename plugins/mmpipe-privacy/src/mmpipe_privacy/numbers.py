"""Payment cards and IBANs: numbers that carry a check of themselves."""

from __future__ import annotations

from collections.abc import Iterator

import regex
from stdnum import iban, luhn

from mmpipe_privacy.spans import Found

_RUN = regex.compile(r"(?<![0-9])[0-9](?:[ .\-/]?[0-9]){11,}+")
_GROUP = regex.compile(r"[0-9]+")
_IBAN = regex.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ .\-]?[0-9A-Za-z])")
_LEAST_GROUP, _MOST_DIGITS = 3, 19
_MOST_GROUPS = _MOST_DIGITS // _LEAST_GROUP
# First digits, as ranges, and the lengths that go with them (ISO/IEC 7812; the networks' published ranges).
_ISSUERS = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (300, 305, (14, 16)),  # Diners Club
    (36, 36, (14, 16)),
    (38, 39, (14, 16)),
    (6011, 6011, (16, 19)),  # Discover
    (644, 659, (16, 19)),
    (3528, 3589, (16, 19)),  # JCB
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (2200, 2204, (16, 19)),  # Mir
    (50, 50, (16, 18, 19)),  # Maestro
    (56, 58, (16, 18, 19)),
    (63, 63, (16, 18, 19)),
    (67, 67, (16, 18, 19)),
)


def cards(text: str) -> Iterator[Found]:
    """Numbers of the length and first digits of a payment network that pass Luhn's check.

    In one piece, or in groups of three digits and more with one space, dot, dash or slash between; other numbers may
    stand beside it in the same row.
    """
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        if _is_glued(text, run.start() - 1):
            groups = groups[1:]
        if _is_glued(text, run.end()):
            groups = groups[:-1]
        first = 0
        while first < len(groups):
            n = _n_groups(text, groups, first)
            if n:
                yield Found("card", groups[first][0], groups[first + n - 1][1], True)
            first += n or 1


def ibans(text: str) -> Iterator[Found]:
    """Account numbers with the structure of their country that pass the check modulo 97 (ISO 13616), spaced or not."""
    for match in _IBAN.finditer(text):
        places = _places(text, match.start())
        for n in range(len(places), 14, -1):
            end = places[n - 1] + 1
            if end < len(text) and _is_alphanumeric(text[end]):
                continue
            said = "".join(text[place] for place in places[:n]).upper()
            if iban.is_valid(said, check_country=False):
                yield Found("iban", match.start(), end, True)
                break


def is_card(digits: str) -> bool:
    """Whether digits are those of a card."""
    is_issued = any(
        len(digits) in lengths and low <= int(digits[: len(str(low))]) <= high for low, high, lengths in _ISSUERS
    )
    return is_issued and luhn.is_valid(digits)


def _n_groups(text: str, groups: list[tuple[int, int]], first: int) -> int:
    """How many groups from this one on are a card; the most, 0 where none are."""
    digits, longest = "", 0
    if _is_point(text, groups[first][0] - 1):
        return 0
    for n, (start, end) in enumerate(groups[first : first + _MOST_GROUPS], start=1):
        digits += text[start:end]
        if len(digits) > _MOST_DIGITS or end - start < _LEAST_GROUP:
            break
        if is_card(digits) and not _is_point(text, end):
            longest = n
    return longest


def _places(text: str, start: int) -> list[int]:
    """Where the letters and digits stand that may belong to an IBAN: 34 at most, one separator between."""
    places, place = [], start
    while place < len(text) and len(places) < 34:
        if _is_alphanumeric(text[place]):
            places.append(place)
        elif not (text[place] in " .-" and place + 1 < len(text) and _is_alphanumeric(text[place + 1])):
            break
        place += 1
    return places


def _is_alphanumeric(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _is_glued(text: str, place: int) -> bool:
    """Whether a letter stands there, or the point of a number."""
    return 0 <= place < len(text) and (_is_alphanumeric(text[place]) or _is_point(text, place))


def _is_point(text: str, place: int) -> bool:
    """Whether a point or comma stands there, between two digits."""
    return 0 < place < len(text) - 1 and text[place] in ".," and text[place - 1].isdigit() and text[place + 1].isdigit()
