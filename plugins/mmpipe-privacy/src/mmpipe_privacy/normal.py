"""One spelling for characters that look alike, each in its place, so that offsets stay what they were."""

from __future__ import annotations

import unicodedata

_DASHES = frozenset("‐‑‒–—―−﹣－")
_PLAIN = frozenset("＠．＋＿")
"""Full-width marks that stand inside addresses; others, such as the comma, end them."""


class _Table(dict[int, str]):
    """For `str.translate`; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isdecimal():
            told = str(unicodedata.decimal(character))
        elif character in _DASHES:
            told = "-"
        elif unicodedata.category(character) == "Zs":
            told = " "
        elif character in _PLAIN or (0xFF21 <= code <= 0xFF5A and character.isalpha()):
            told = chr(code - 0xFEE0)
        else:
            told = character
        self[code] = told
        return told


_TABLE = _Table()


def normal(text: str) -> str:
    """The text with ASCII digits, spaces, dashes and, of full width, letters: character for character as long."""
    return text if text.isascii() else text.translate(_TABLE)
