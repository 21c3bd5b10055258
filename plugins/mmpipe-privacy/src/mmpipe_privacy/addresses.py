"""E-mail addresses, URLs and IP addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import regex

from mmpipe_privacy.spans import Found

# Scripts that put spaces between words: in others, the text would run on into the address.
_W = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{Mn}0-9"
_MAIL = regex.compile(
    rf"(?<![{_W}])[{_W}_](?:[{_W}.!#$%&'*+/=?^_`{{|}}~-]{{0,127}}[{_W}_+~-])?@"
    rf"(?:[{_W}](?:[{_W}-]{{0,61}}[{_W}])?\.)+(?:xn--[a-z0-9-]{{2,59}}|[\p{{Latin}}\p{{Greek}}\p{{Cyrillic}}]{{2,63}})",
    regex.IGNORECASE,
)
_URL = regex.compile(
    rf"(?<![{_W}])(?:(?:https?|ftps?|sftp|wss?)://(?=[{_W}\[])|www\.(?=[{_W}-]+\.))[{_W}._~:/?#\[\]@!$&'()*+,;=%-]++",
    regex.IGNORECASE,
)
_V4 = regex.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]|\.[0-9]|-[A-Za-z])")
_V6 = regex.compile(r"(?<![0-9A-Za-z_:.])[0-9A-Fa-f:][0-9A-Fa-f:.]{1,44}(?:%[0-9A-Za-z]+)?(?![0-9A-Za-z_:])")
_VERSION = regex.compile(
    r"(?:(?<![0-9A-Za-z])(?:v|ver|versions?|releases?|builds?|firmware|rev|revision|kernel|patch|sections?|chapters?|"
    r"clauses?|paragraphs?)|§|版本|固件|章节|第)[ :.#]{0,3}"
    # "from version 1.2.3.4 to 1.2.3.5"
    r"(?:[0-9]+(?:\.[0-9]+){1,4} ?(?:,|-|to|and|or|through) ?)*$",
    regex.IGNORECASE,
)
_BEFORE = 60
_PAIRS = {")": "(", "]": "["}


def emails(text: str) -> Iterator[Found]:
    """`name@host.tld`, in scripts that put spaces between words."""
    for match in _MAIL.finditer(text) if "@" in text else ():
        yield Found("email", match.start(), match.end())


def urls(text: str) -> Iterator[Found]:
    """What begins with a scheme or `www.`, without the punctuation of the sentence that it stands in."""
    for match in _URL.finditer(text):
        yield Found("url", match.start(), match.start() + len(_trimmed(match.group())))


def ips(text: str) -> Iterator[Found]:
    """IPv4 and IPv6 addresses, without those that are nobody's: `0.0.0.0`, `::`, and the loopback.

    Four numbers behind a word such as "version" or "section" are no address.
    """
    for match in _V4.finditer(text):
        if _address(match.group()) and not _VERSION.search(text[max(0, match.start() - _BEFORE) : match.start()]):
            yield Found("ip", match.start(), match.end(), True)
    for match in _V6.finditer(text) if "::" in text or text.count(":") > 6 else ():
        for said in (match.group(), match.group().rstrip(".:")):
            # "a::b" is a name in some programming languages.
            if said.count(":") > 1 and any(c.isdigit() for c in said) and _address(said):
                yield Found("ip", match.start(), match.start() + len(said), True)
                break


def _address(said: str) -> bool:
    try:
        found = ipaddress.ip_address(said)
    except ValueError:
        return False
    return not (found.is_unspecified or found.is_loopback)


def _trimmed(said: str) -> str:
    while said:
        last = said[-1]
        if last in ".,;:!?'*" or (last in _PAIRS and said.count(last) > said.count(_PAIRS[last])):
            said = said[:-1]
        else:
            break
    return said
