"""The same result in any company: alone, in batches, in any order, again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from spacy.tokens import Doc

from mmpipe.errors import RecordError
from mmpipe.testing.checks.snapshot import differences, shown, snapshot
from mmpipe.testing.checks.subject import Passage, Subject, through, told
from mmpipe.testing.contract import Check, NotChecked, Problem, check
from mmpipe.testing.records import huge_record

_N_STREAM = 100
_N_FRESH = 2
"""Documents for each of which a component is built."""
_FORGET = "keep nothing of a document in the component, nor in its class or module"
_RAISE = "mend what the error names; nlp(mmpipe.make_doc(nlp, record)) raises it with its traceback"


@check("runs", "an ordinary document comes through the component")
def runs(subject: Subject) -> Iterator[Problem]:
    for passage in subject.passages:
        if not passage.is_awkward and passage.error is not None:
            yield Problem(f"raised {told(passage.error)}", _RAISE, passage.label)


@check("determinism", "the same document gives the same result again")
def determinism(subject: Subject) -> Iterator[Problem]:
    for passage in subject.good(ordinary=True):
        again = subject.passage(passage.record)
        if again is None or again.after is None:
            error = again.error if again else None
            yield Problem(f"the second time it raised {told(error or ValueError())}", _RAISE, passage.label)
            continue
        for found in differences(again.after, passage.after or {}, subject.tolerance):
            got = f"{found.place} is {shown(found.got)} the second time, {shown(found.wanted)} the first"
            yield Problem(got, "seed what is random, and keep nothing of earlier documents", passage.label)


@check("independence", "a document gives the same result in a component that has seen no other")
def independence(subject: Subject) -> Iterator[Problem]:
    # The first was itself seen by a component that had seen no other.
    for passage in subject.good(ordinary=True)[1 : 1 + _N_FRESH]:
        try:
            fresh = replace(subject).passage(passage.record)
        except Exception as error:
            raise NotChecked(f"it cannot be built a second time: {told(error)}") from error
        if fresh is None or fresh.after is None:
            error = fresh.error if fresh else None
            yield Problem(f"as the first document it raised {told(error or ValueError())}", _FORGET, passage.label)
            continue
        for found in differences(passage.after or {}, fresh.after, subject.tolerance):
            got = f"{found.place} is {shown(found.got)} after others, {shown(found.wanted)} as the first document"
            yield Problem(f"a result depends on documents seen before: {got}", _FORGET, passage.label)


@check("same-documents", "as many documents come out as went in, the same ones, in the same order")
def same_documents(subject: Subject) -> Iterator[Problem]:
    passages = subject.good()
    for batch_size in _sizes(passages):
        said = f"in batches of {batch_size}"
        try:
            docs = subject.batch(passages, batch_size)
        except Exception as error:
            yield Problem(f"{said} it raised {told(error)}", "let `pipe` take what `__call__` takes")
            continue
        found = [doc._context if isinstance(doc, Doc) else None for doc in docs]
        wanted = list(range(len(passages)))
        if found == wanted:
            continue
        step = "give each document on when it is done, the Doc that was given, once, in the order they came"
        if lost := [index for index in wanted if index not in found]:
            yield Problem(f"{said} {len(lost)} of {len(wanted)} documents were lost", step, passages[lost[0]].label)
        elif None in found:
            yield Problem(f"{said} it gave something else than the documents that it was given", step)
        elif len(found) > len(wanted):
            twice = next(index for index in wanted if found.count(index) > 1)
            yield Problem(f"{said} a document came out more than once", step, passages[twice].label)
        else:
            first = next(i for i, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other)
            got = f"{said} documents came out in another order, the first at place {first + 1}"
            yield Problem(got, step, passages[found[first] or 0].label)


@check("batches", "a document gives the same result alone and in a batch of any size")
def batches(subject: Subject) -> Iterator[Problem]:
    passages = subject.good()
    told_of = set()
    for batch_size in _sizes(passages):
        for passage, found in subject.unequal(_batch(subject, passages, batch_size), passages):
            if (passage.label, found.place) in told_of:
                continue
            told_of.add((passage.label, found.place))
            got = f"{found.place} is {shown(found.got)} in batches of {batch_size}, {shown(found.wanted)} alone"
            step = "compute a document's result from that document only: mask padding, share nothing between rows"
            yield Problem(got, step, passage.label)


@check("order", "the order of documents changes no result")
def order(subject: Subject) -> Iterator[Problem]:
    passages = subject.good()
    size = len(passages)
    straight = {doc._context: snapshot(doc) for doc in _batch(subject, passages, size) if isinstance(doc, Doc)}
    places = random.Random(0).sample(range(size), size)
    for doc in _batch(subject, [passages[place] for place in places], size):
        place = places[doc._context] if isinstance(doc, Doc) and isinstance(doc._context, int) else None
        if place not in straight:
            continue
        for found in differences(snapshot(doc), straight[place], subject.tolerance):
            got = f"{found.place} is {shown(found.got)} in another order, {shown(found.wanted)} before"
            step = "match results and documents by position, and undo any sorting by length"
            yield Problem(got, step, passages[place].label)


@check("lazy-stream", "the first document comes before the stream has been read to its end")
def lazy_stream(subject: Subject) -> Iterator[Problem]:
    if not hasattr(subject.pipe, "pipe"):
        return
    shortest = min(subject.good(ordinary=True), key=lambda passage: len(passage.before["doc.text"]))
    taken = 0

    def stream() -> Iterator[Doc]:
        nonlocal taken
        for _ in range(_N_STREAM):
            taken += 1
            yield subject.doc(shortest.record)

    try:
        next(through(subject.pipe, stream(), 2), None)
    except Exception as error:
        raise NotChecked(f"its pipe raised {told(error)}") from error
    if taken >= _N_STREAM:
        got = f"all {_N_STREAM} documents were read before the first came out, with batch_size = 2"
        yield Problem(got, "read a batch, give it on, then read the next: spacy.util.minibatch does")


@check("odd-inputs", "a document without text or with any Unicode is processed, or refused with a RecordError")
def odd_inputs(subject: Subject) -> Iterator[Problem]:
    step = "handle it; or raise mmpipe.RecordError, which says what is wrong with the record"
    for passage in subject.passages:
        if passage.is_awkward and passage.error is not None and not isinstance(passage.error, RecordError):
            yield Problem(f"raised {told(passage.error)}", step, passage.label)
    for text in ("never again", ""):
        try:
            subject.nlp(text)
        except RecordError:
            continue
        except Exception as error:
            got = f"nlp({text!r}), a document that has no record, raised {told(error)}"
            yield Problem(got, "take what is missing for empty: mmpipe.document.record_of gives {}")


@check("huge-input", "a text of any length is processed, or refused with a RecordError")
def huge_input(subject: Subject) -> Iterator[Problem]:
    passage = subject.passage(huge_record(subject.n_huge_chars))
    error = passage.error if passage else None
    if error is not None and not isinstance(error, RecordError):
        step = "read long texts in windows; or raise mmpipe.RecordError"
        yield Problem(f"raised {told(error)}", step, f"a text of {subject.n_huge_chars:,} characters")


def _sizes(passages: list[Passage]) -> list[int]:
    return sorted({1, 2, 7, len(passages)})


def _batch(subject: Subject, passages: list[Passage], batch_size: int) -> list[Doc]:
    try:
        return subject.batch(passages, batch_size)
    except Exception as error:  # The check `same-documents` tells it.
        raise NotChecked(f"its pipe raised {told(error)} in batches of {batch_size}") from error


CHECKS: tuple[Check, ...] = (
    runs,
    determinism,
    independence,
    same_documents,
    batches,
    order,
    lazy_stream,
    odd_inputs,
    huge_input,
)
