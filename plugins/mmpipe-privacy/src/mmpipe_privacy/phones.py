"""Phone numbers, by the numbering plans of the world."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import phonenumbers
import regex

from mmpipe_privacy.spans import Found

_WORTH_A_LOOK = regex.compile(r"[0-9](?:[^0-9]{0,4}[0-9]){5}")
_ORDER = regex.compile(
    r"(?:(?<![A-Za-z])(?:order|invoice|ticket|reference|ref|case|customer|parcel|tracking|sku|item|bestellung|bestell|"
    r"rechnung|rechnungs|auftrag|auftrags|kunden|commande|facture)|订单|单号|编号|快递|发票)"
    r"(?:[ -]?(?:no|nr|number|nummer|num|id|号|号码))?[ .:#№：]{0,3}$",
    regex.IGNORECASE,
)
# Dates, and four numbers of an IP address or a version.
_OTHER = regex.compile(
    r"[(（]?(?:[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{4}|[0-9]{4}([./-])[0-9]{1,2}\2[0-9]{1,2}|(?:19|20)[0-9]{6}|"
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
)
_BEFORE = 40
_MOST_DIGITS = 13
"""Of a number as it is dialled inside a country, with some to spare; what is longer is the number of something else."""


def regions() -> frozenset[str]:
    """The countries whose numbers can be known without a country code, as ISO 3166 codes."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def phones(text: str, regions: Iterable[str] = ()) -> Iterator[Found]:
    """Numbers with a `+` and a country code, and those of the regions as they are dialled there.

    With a `+`, the length must be one that the country has, for hardly anything else is written so. Without it the
    number must be in use by the country's numbering plan, must look like no date, version or IP address, and must not
    stand behind a word such as "order no.".
    """
    if not _WORTH_A_LOOK.search(text):
        return
    if "+" in text:
        for match in _matches(text, None, phonenumbers.Leniency.POSSIBLE):
            yield _found(match, phonenumbers.is_valid_number(match.number))
    for region in regions:
        for match in _matches(text, region, phonenumbers.Leniency.VALID):
            said, before = match.raw_string, text[max(0, match.start - _BEFORE) : match.start]
            n_digits = sum(character.isdigit() for character in said)
            if "+" not in said and n_digits <= _MOST_DIGITS and not (_OTHER.fullmatch(said) or _ORDER.search(before)):
                yield _found(match, True)


def _found(match: phonenumbers.PhoneNumberMatch, is_valid: bool) -> Found:
    # "(020 7946 0000)" is a number in brackets, which the library takes for the first half of one.
    is_bracketed = match.raw_string[:1] in "(（[" and not any(mark in match.raw_string for mark in ")）]")
    return Found("phone", match.start + is_bracketed, match.end, is_valid)


def _matches(text: str, region: str | None, leniency: int) -> Iterator[phonenumbers.PhoneNumberMatch]:
    # The library gives up after so many candidates that are none, and says nothing of the rest.
    return phonenumbers.PhoneNumberMatcher(text, region, leniency=leniency, max_tries=sys.maxsize)
