"""What a component writes: plain data, in the places that it declares, and nothing over what it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from spacy.tokens import Doc, Span, Token

from mmpipe.column_types import fits
from mmpipe.config.results import types_of
from mmpipe.document import to_record
from mmpipe.errors import MmpipeError, RecordError
from mmpipe.plain import dumps, plain
from mmpipe.testing.checks.snapshot import differences, shown
from mmpipe.testing.checks.subject import Passage, Subject
from mmpipe.testing.contract import Check, NotChecked, Problem, check

# What spaCy has several names for: to write one is to write all.
_GROUPS = (
    {"doc.ents", "token.ent_type", "token.ent_iob"},
    {"doc.sents", "token.is_sent_start", "token.sent_start"},
    {"token.head", "token.dep", "doc.noun_chunks"},
)
_INPUTS = ("doc.text", "doc._.record", "doc._.media")
_KINDS = {"doc": Doc, "token": Token, "span": Span}


@check("plain-results", "results are plain JSON: strings, finite numbers, true, false, null, lists and objects of them")
def plain_results(subject: Subject) -> Iterator[Problem]:
    step = "convert it: float(x), array.tolist(), {'start': span.start_char, 'end': span.end_char}"
    told_of = set()
    for passage in subject.passages:
        if passage.after is None:
            continue
        written = passage.written
        is_well = True
        for place, value in _values(passage.doc):
            try:
                if place in written:
                    plain(value, passage.label, place)
            except MmpipeError as error:
                is_well = False
                if place not in told_of:
                    yield Problem(error.what, step, passage.label)
                told_of.add(place)
        if is_well:
            try:
                dumps(to_record(passage.doc))
            except (MmpipeError, ValueError, TypeError) as error:
                if isinstance(error, RecordError) and "already has a key" in error.what:
                    continue  # The record's own key: no record of ours to blame the component for.
                yield Problem(f"its result cannot be made: {' '.join(str(error).split())}", step, passage.label)


def _values(doc: Doc) -> Iterator[tuple[str, Any]]:
    """Every place that holds a component's own values, and the value."""
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "._.":
            kind = "doc" if key[2] is None else "token" if key[3] is None else "span"
            yield f"{kind}._.{key[1]}", value
    yield "doc.cats", doc.cats
    for name, group in doc.spans.items():
        yield f"doc.spans[{name!r}]", group.attrs


@check("inputs-untouched", "the text, the record, the media references and the tokens stay as they were given")
def inputs_untouched(subject: Subject) -> Iterator[Problem]:
    retokenizes = subject.nlp.get_factory_meta(subject.factory).retokenizes
    for passage in subject.passages:
        for place in (*_INPUTS, *(() if retokenizes else ("doc.tokens",))):
            before, after = ({place: side.get(place)} for side in (passage.before, passage.after or passage.before))
            for found in differences(after, before, 0.0):
                got = f"{found.place} was {shown(found.wanted)} and is {shown(found.got)}"
                step = "write results to doc._.<field>; copy what you change"
                if place == "doc.tokens":
                    step = "declare retokenizes=True to @Language.factory, or leave the tokens alone"
                yield Problem(got, step, passage.label)


@check("declarations", "a component writes what its factory's `assigns` declares: all of it, and nothing else")
def declarations(subject: Subject) -> Iterator[Problem]:
    declared = set(subject.stage.fields)
    written: dict[str, Passage] = {}
    for passage in subject.good():
        # With another text, nothing else is where it was; inputs-untouched tells it.
        for place in passage.written if "doc.text" not in passage.written else ():
            written.setdefault(place.split("[")[0], passage)
    retokenizes = "doc.tokens" in written
    for place, passage in written.items():
        is_input = place in ("doc.text", "doc.tokens", "doc._.record", "doc._.media")  # Told by inputs-untouched.
        if is_input or _group(place) & declared or (retokenizes and place.startswith("token.")):
            continue
        step = f"add {place!r} to `assigns` of @Language.factory({subject.factory!r}, ...), or do not write it"
        if place.startswith("doc.user_data"):
            step = "write to doc._.<field>, which can be declared"
        yield Problem(f"wrote {place}, which is not declared", step, passage.label)
    for place in sorted(declared - subject.optional):
        if _group(place).isdisjoint(written) and not _is_computed(place):
            got = f"declares {place}, and wrote it for none of {len(subject.good())} documents"
            step = (
                "write it, or take it out of `assigns`; name it in `optional` where these settings do not call for it"
            )
            yield Problem(got, step)


@check("result-type", "what a component writes is of the type that its `result_type` names, as a column of a table")
def result_type(subject: Subject) -> Iterator[Problem]:
    types = types_of(subject.nlp, subject.name)
    if not types:
        raise NotChecked("it names no result_type")
    for field, kind in types.items():
        place = f"doc._.{field}"
        for passage in subject.passages:
            value = (passage.after or {}).get(place)
            if not fits(value, kind):
                got = f"{place} is {shown(value)}, which is no {json.dumps(kind)}"
                yield Problem(got, "let the two say the same: a table has no cell for others", passage.label)
                break


def _group(place: str) -> set[str]:
    return next((group for group in _GROUPS if place in group), {place})


def _is_computed(place: str) -> bool:
    """Whether it is an extension with a getter or a method, whose values stand nowhere."""
    kind, _, name = place.partition("._.")
    owner = _KINDS.get(kind)
    if not name or owner is None or not owner.has_extension(name):
        return False
    _, method, getter, _ = owner.get_extension(name)
    return method is not None or getter is not None


CHECKS: tuple[Check, ...] = (plain_results, inputs_untouched, declarations, result_type)
