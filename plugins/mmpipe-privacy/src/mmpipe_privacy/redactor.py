"""What of a result leaves a private run."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc

import mmpipe
from mmpipe import RecordError
from mmpipe_privacy.finder import spread
from mmpipe_privacy.masking import Masking
from mmpipe_privacy.spans import resolve

if TYPE_CHECKING:
    from mmpipe_privacy.component import Privacy

_MOST_CHARS, _MOST_TEXTS = 100, 10_000
_LEAST_DIGITS = 7
_LEAST_PART = 3


class ResultRedactor:
    """The `redactor` (mmpipe.Redactor) of a Privacy component.

    The record's text becomes the masked text, and places in it that components give become places in the masked one.
    In every other string, key and long number of the result, what the component's patterns find is replaced, and what
    was found in the text, parts of names included.
    """

    def __init__(self, component: Privacy) -> None:
        self._component = weakref.proxy(component)
        self._short = functools.lru_cache(_MOST_TEXTS)(self._redacted)

    def redact_text(self, text: str) -> str:
        """An id, a place, a key: what the patterns find is replaced."""
        return self._short(text) if len(text) <= _MOST_CHARS else self._redacted(text)

    def redact_result(self, result: dict[str, Any], doc: Doc, *, text_key: str) -> dict[str, Any]:
        """The result with nothing in it that was found. Raises RecordError where the document was not masked."""
        record = mmpipe.to_record(doc, [])
        entries = doc._.get(self._component.field)
        if entries is None:
            raise RecordError(f"{self._component.name!r} has not seen the document", next_step="run it before the end")
        if record.get(text_key) is None and not doc.text and not {"image", "images"} & record.keys():
            raise RecordError(
                f"there is no {text_key!r}, and so nothing that could be masked",
                next_step="name the key that holds the text with --text-key",
            )
        pieces = [(entry["start"], entry["end"], entry["replacement"]) for entry in entries]
        masking = Masking(doc.text, pieces)
        values = {doc.text[entry["start"] : entry["end"]]: entry["kind"] for entry in entries}
        told = _Told(self._component, masking, values)
        found: dict[str, Any] = {}
        for key, value in result.items():
            if key == self._component.masked_field:
                told_value = masking.masked
            elif key == self._component.field:
                told_value = [
                    {**entry, "start": masking.start(entry["start"]), "end": masking.end(entry["end"])}
                    for entry in entries
                ]
            elif key == text_key and value == doc.text:
                told_value = masking.masked
            elif key in record:
                if self._is_dropped(key, text_key):
                    continue
                told_value = told.plain(value)
            else:
                told_value = told.of_component(value)
            found[_free(self.redact_text(key), found)] = told_value
        return found

    def _is_dropped(self, key: str, text_key: str) -> bool:
        settings = self._component.settings
        return settings["other_keys"] == "drop" and key not in ("id", text_key, *settings["fields"])

    def _redacted(self, text: str) -> str:
        return Masking(text, self._component.pieces(text, self._component.find(text))).masked


class _Told:
    """The values of one result.

    values: what was found in the text -> its kind.
    """

    def __init__(self, component: Privacy, masking: Masking, values: Mapping[str, str]) -> None:
        self._component, self._masking = component, masking
        parts = {
            part: kind
            for value, kind in values.items()
            if kind == "person"
            for part in value.split()
            if len(part) >= _LEAST_PART and not part.islower()
        }
        self._values = parts | dict(values)
        self._digits = {
            digits: kind for value, kind in values.items() if len(digits := _digits(value)) >= _LEAST_DIGITS
        }

    def of_component(self, value: Any) -> Any:
        """What a component wrote: {start, end} are places in the text, and strings beside them may be what is there."""
        if isinstance(value, list):
            return [self.of_component(one) for one in value]
        if not isinstance(value, dict):
            return self.plain(value)
        start, end, text = value.get("start"), value.get("end"), self._masking.text
        if not (_is_place(start) and _is_place(end) and 0 <= start <= end <= len(text)):
            return {self._string(key): self.of_component(one) for key, one in value.items()}
        new_start, new_end = self._masking.start(start), self._masking.end(end)
        told: dict[str, Any] = {}
        for key, one in value.items():
            if key in ("start", "end"):
                told[key] = new_start if key == "start" else new_end
            elif isinstance(one, str) and start < end and one == text[start:end]:
                told[key] = self._masking.masked[new_start:new_end]
            else:
                told[self._string(key)] = self.of_component(one)
        return told

    def plain(self, value: Any) -> Any:
        """Any JSON data."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        if isinstance(value, dict):
            found: dict[str, Any] = {}
            for key, one in value.items():
                found[_free(self._string(key), found)] = self.plain(one)
            return found
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return value

    def _string(self, text: str) -> str:
        component = self._component
        kept = resolve(component.find(text), component.finder.ranks)
        spread(text, self._values, kept)
        found = list(kept)
        return Masking(text, component.pieces(text, found)).masked if found else text

    def _number(self, value: int | float) -> Any:
        if isinstance(value, float) and not value.is_integer():
            return value
        said = str(abs(int(value)))
        if len(said) < _LEAST_DIGITS:
            return value
        if said in self._digits:
            return self._component.policies.replacement(self._digits[said], said)
        told = self._string(said)
        return value if told == said else told


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _digits(value: str) -> str:
    return "".join(character for character in value if character.isdecimal())


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """The key, or one with a number behind it where it is taken."""
    n = 2
    name = key
    while name in taken:
        name, n = f"{key}_{n}", n + 1
    return name
