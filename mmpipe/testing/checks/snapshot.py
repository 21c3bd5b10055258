"""All that a Doc holds, as plain data to compare: place -> value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from spacy.tokens import Doc, Span, Token

Snapshot = dict[str, Any]

# Place -> spaCy's attribute, and whether its values are strings.
_TOKENS: dict[str, tuple[str, bool]] = {
    "token.norm": ("NORM", True),
    "token.tag": ("TAG", True),
    "token.pos": ("POS", True),
    "token.morph": ("MORPH", True),
    "token.lemma": ("LEMMA", True),
    "token.dep": ("DEP", True),
    "token.head": ("HEAD", False),
    "token.is_sent_start": ("SENT_START", False),
    "token.ent_iob": ("ENT_IOB", False),
    "token.ent_type": ("ENT_TYPE", True),
    "token.ent_kb_id": ("ENT_KB_ID", True),
    "token.ent_id": ("ENT_ID", True),
}
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


def snapshot(doc: Doc) -> Snapshot:
    """What stands on a Doc now. It stays as it is when the Doc changes."""
    found: Snapshot = {"doc.text": doc.text, "doc.tokens": [token.idx for token in doc]}
    columns = np.asarray(doc.to_array([attr for attr, _ in _TOKENS.values()])).reshape(len(doc), len(_TOKENS))
    for (place, (_, is_text)), column in zip(_TOKENS.items(), columns.T, strict=True):
        values = column if is_text else column.astype(np.int64)
        found[place] = [doc.vocab.strings[value] if is_text else int(value) for value in values.tolist()]
    found["doc.cats"] = canonical(doc.cats)
    found["doc.tensor"] = canonical(doc.tensor) if getattr(doc.tensor, "size", 0) else None
    for key, group in doc.spans.items():
        spans = [_span(span) for span in group]
        found[f"doc.spans[{key!r}]"] = {"attrs": canonical(group.attrs), "spans": spans}
    for key, value in doc.user_data.items():
        if not (isinstance(key, tuple) and len(key) == 4 and key[0] == "._."):
            found[f"doc.user_data[{key!r}]"] = canonical(value)
        elif key[2] is None:
            found[f"doc._.{key[1]}"] = canonical(value)
        else:
            kind = "token" if key[3] is None else "span"
            found.setdefault(f"{kind}._.{key[1]}", {})[f"{key[2]}:{key[3]}"] = canonical(value)
    return found


def _span(span: Span) -> dict[str, Any]:
    places = {"start": span.start_char, "end": span.end_char}
    return places | {"label": span.label_, "kb_id": span.kb_id_, "id": span.id_}


def canonical(value: Any) -> Any:
    """A copy as JSON-like data, whatever the value is, so that equal values are equal data; tuples are lists."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return canonical(value.item())
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else repr(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, set | frozenset):
        return [f"<{type(value).__name__}>", *sorted(map(repr, value))]
    if isinstance(value, Doc):
        return f"<Doc of {len(value)} tokens>"
    if isinstance(value, Span | Token):
        return f"<{type(value).__name__} {value.text!r}>"
    if hasattr(value, "tolist"):
        return [f"<{type(value).__name__}>", canonical(value.tolist())]
    return f"<{type(value).__name__}> {_ADDRESS.sub('0x...', repr(value))}"


class Difference(NamedTuple):
    """Where two snapshots differ: `doc._.tone["score"]`, what stands there, and what was wanted."""

    place: str
    got: Any
    wanted: Any


ABSENT = "nothing"


def differences(got: Snapshot, wanted: Snapshot, tolerance: float) -> Iterator[Difference]:
    """The first difference of each place. tolerance: how far numbers may be apart, absolute."""
    for place in dict.fromkeys([*wanted, *got]):
        one, other = got.get(place, _MISSING), wanted.get(place, _MISSING)
        found = _first(one, other, tolerance, place)
        if found is not None:
            yield found


class _Missing:
    def __repr__(self) -> str:
        return ABSENT


_MISSING = _Missing()


def _first(got: Any, wanted: Any, tolerance: float, place: str) -> Difference | None:
    if isinstance(got, dict) and isinstance(wanted, dict):
        pairs = ((f"{place}[{key!r}]", got.get(key, _MISSING), wanted.get(key, _MISSING)) for key in {**wanted, **got})
    elif isinstance(got, list | tuple) and isinstance(wanted, list | tuple) and len(got) == len(wanted):
        pairs = ((f"{place}[{i}]", one, other) for i, (one, other) in enumerate(zip(got, wanted, strict=True)))
    else:
        return None if _equal(got, wanted, tolerance) else Difference(place, got, wanted)
    return next((found for where, *two in pairs if (found := _first(*two, tolerance, where))), None)


def _equal(got: Any, wanted: Any, tolerance: float) -> bool:
    numbers = isinstance(got, int | float) and isinstance(wanted, int | float)
    if numbers and not isinstance(got, bool) and not isinstance(wanted, bool):
        both_nan = math.isnan(got) and math.isnan(wanted)
        return got == wanted or both_nan or abs(got - wanted) <= tolerance
    return type(got) is type(wanted) and got == wanted


def shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
