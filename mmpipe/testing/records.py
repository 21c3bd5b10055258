"""Records of every awkward sort, and a few ordinary ones."""

from __future__ import annotations

from typing import Any

from mmpipe.testing.texts import AWKWARD_TEXTS

N_HUGE_CHARS = 200_000

ORDINARY_RECORDS: tuple[dict[str, Any], ...] = (
    {"id": "soup", "text": "The soup was cold and nobody apologised. We will not come again, not even for free!"},
    {"id": "day", "text": "What a wonderful day; it was raining in the morning, then the sun came out.", "year": 2024},
    {
        "id": "mail",
        "text": "Anna Schmidt wrote from Berlin: call +49 30 901820, or mail anna@example.org by 3 May 2024.",
    },
    {"id": "short", "text": "never again", "tags": ["a", ["b"], {"c": 1.5}]},
)
"""Records that any component for texts takes."""

AWKWARD_RECORDS: dict[str, dict[str, Any]] = {
    **{f"text: {name}": {"id": f"text: {name}", "text": text} for name, text in AWKWARD_TEXTS.items()},
    "no text": {"id": "no text"},
    "null text": {"id": "null text", "text": None},
    "nothing at all": {},
    "no id": {"text": "this record has no id"},
    "number as id": {"id": 17, "text": "the id is a number"},
    "object as id": {"id": {"shelf": 3, "book": [1, 2]}, "text": "the id is an object"},
    "one long word": {"id": "one long word", "text": "Donaudampfschifffahrt" * 20},
    "Thai": {"id": "Thai", "text": "ภาพยนตร์เรื่องนี้สนุกมาก ฉันชอบมันมาก"},
    "Devanagari": {"id": "Devanagari", "text": "यह फ़िल्म बहुत अच्छी है। मुझे पसंद आई।"},
    "right to left marks": {"id": "right to left marks", "text": "abc \u202eevil\u202c \u200fdef\u200e ghi"},
    "mixed line ends": {"id": "mixed line ends", "text": "one\r\ntwo\rthree\nfour\x85five\u2029six\x0bseven"},
    "marks without a letter": {"id": "marks without a letter", "text": "\u0301\u0308 \u0301"},
    "joiners alone": {"id": "joiners alone", "text": "\u200d\u200d\ufe0f"},
    "outside the basic plane": {"id": "outside the basic plane", "text": "𝔄𝔅 😀 𠀀𠀁 end"},
    "a letter that grows": {"id": "a letter that grows", "text": "İstanbul ŉ ﬁne STRASSE straße"},
    "markup": {"id": "markup", "text": "<b>bold</b> &amp; <script>alert('x')</script> {{ name }} %s {0}"},
    "nested extras": {"id": "nested extras", "text": "more than text", "extra": {"a": [[{"b": None}], 1.5, True]}},
    "keys of all kinds": {"id": "keys of all kinds", "text": "odd keys", "": 1, "a b": 2, "ключ": 3, "text2": "x"},
    "big numbers": {"id": "big numbers", "text": "big numbers", "n": 2**63 - 1, "x": 1e308},
    "no questions": {"id": "no questions", "text": "nothing is asked", "question": None, "questions": []},
    "no images": {"id": "no images", "text": "nothing to see", "images": []},
    "missing image": {"id": "missing image", "text": "the image is not there", "image": "nowhere/at-all.png"},
    "image outside": {"id": "image outside", "text": "the image is elsewhere", "image": "../../../../etc/hostname"},
    "half a surrogate pair": {"id": "half a surrogate pair", "text": "half \ud83d of an emoji"},
    "text that is a number": {"id": "text that is a number", "text": 5},
}
"""What is awkward about a record -> the record."""

REFUSED = ("missing image", "image outside", "half a surrogate pair", "text that is a number")
"""Those of AWKWARD_RECORDS that `mmpipe.make_doc` refuses with a RecordError."""


def huge_record(n_chars: int = N_HUGE_CHARS) -> dict[str, Any]:
    """A record with a text of about so many characters, of ordinary sentences."""
    sentence = "The cat sat on the mat and looked at the rain. "
    return {"id": "huge", "text": sentence * max(1, n_chars // len(sentence))}
