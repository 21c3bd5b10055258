"""The component: personal data of a document, and the text without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span, SpanGroup

from mmpipe.document import set_extension
from mmpipe_privacy.factory import DEFAULTS
from mmpipe_privacy.finder import NAME_KINDS, Finder
from mmpipe_privacy.masking import Masking
from mmpipe_privacy.patterns import Patterns
from mmpipe_privacy.policies import Policies
from mmpipe_privacy.pseudonyms import read_key
from mmpipe_privacy.redactor import ResultRedactor
from mmpipe_privacy.settings import check
from mmpipe_privacy.spans import Found


class Privacy(Pipe):
    """Writes a list of {kind, start, end, checked, replacement} to `doc._.privacy`, the masked text to `doc._.masked`.

    start, end: in characters of the text. checked: whether more than the form was checked, such as the digits of a
    card. replacement: what stands in its place in the masked text. The same pieces stand in `doc.spans["privacy"]`,
    where the tokens permit. See the README for the settings.
    Raises ConfigError for settings that are not valid, and where a policy needs a key and there is none.
    """

    result_types: dict[str, Any]

    def __init__(self, name: str = "privacy", **settings: Any) -> None:
        self.name = name
        self.settings = {**DEFAULTS, **settings}
        where = f"components.{name}"
        check(self.settings, where)
        own = self.settings["patterns"]
        self.finder = Finder(
            self.settings["kinds"],
            phone_regions=self.settings["phone_regions"],
            patterns=Patterns(own, max_seconds=self.settings["pattern_seconds"], where=f"{where}.patterns"),
            allow=self.settings["allow"],
        )
        self.policies = Policies(
            self.settings["policy"],
            self.settings["policies"],
            key=lambda: read_key(self.settings["key_file"], self.settings["key_env"], f"{where}.key_file"),
            where=where,
        )
        self.result_types = {self.field: "json", self.masked_field: "string"}
        for field in self.result_types:
            set_extension(field)
        self.redactor = ResultRedactor(self) if self.settings["private"] else None

    def __reduce__(self) -> tuple:
        """Settings alone: the key is read again where it is needed."""
        return _rebuilt, (self.name, self.settings)

    @property
    def field(self) -> str:
        return self.settings["field"]

    @property
    def masked_field(self) -> str:
        return self.settings["masked_field"]

    def __call__(self, doc: Doc) -> Doc:
        """Find and mask. Raises RecordError where a pattern of the user's takes too long."""
        found = self.find(doc.text, self._names(doc))
        pieces = self.pieces(doc.text, found)
        entries: list[dict[str, Any]] = [
            {
                "kind": one.kind,
                "start": one.start,
                "end": one.end,
                "checked": one.is_checked,
                "replacement": replacement,
            }
            for one, (_, _, replacement) in zip(found, pieces, strict=True)
        ]
        if self.settings["keep_values"]:
            for entry in entries:
                entry["value"] = doc.text[entry["start"] : entry["end"]]
        doc._.set(self.field, entries)
        doc._.set(self.masked_field, Masking(doc.text, pieces).masked)
        spans = (doc.char_span(one.start, one.end, label=one.kind) for one in found)
        doc.spans[self.settings["spans_key"]] = SpanGroup(
            doc, name=self.settings["spans_key"], spans=[span for span in spans if span is not None]
        )
        return doc

    def find(self, text: str, names: Iterator[Found] | tuple[Found, ...] = ()) -> list[Found]:
        """What the finder finds, with names that a recogniser found."""
        return self.finder.find(text, names)

    def pieces(self, text: str, found: list[Found]) -> list[tuple[int, int, str]]:
        """What was found, as Masking takes it."""
        return [(one.start, one.end, self.policies.replacement(one.kind, text[one.start : one.end])) for one in found]

    def _names(self, doc: Doc) -> Iterator[Found]:
        for kind, labels in NAME_KINDS.items():
            if kind in self.finder.kinds:
                yield from (Found(kind, *_stripped(ent)) for ent in doc.ents if ent.label_ in labels)


def _stripped(ent: Span) -> tuple[int, int]:
    """Its place without white space around it."""
    text = ent.text
    return ent.start_char + len(text) - len(text.lstrip()), ent.end_char - len(text) + len(text.rstrip())


def _rebuilt(name: str, settings: dict[str, Any]) -> Privacy:
    return Privacy(name, **settings)
