"""Results survive on their way: bytes, DocBin, pickles; the pipeline survives to_bytes, to_disk, another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

import mmpipe
from mmpipe.testing.checks.snapshot import differences, shown, snapshot
from mmpipe.testing.checks.subject import Passage, Subject, told
from mmpipe.testing.contract import Check, NotChecked, Problem, check

_PLAIN = "keep plain JSON data in doc._, and nothing that only this process knows"
_SAVE = "save in to_disk and to_bytes all that a result depends on, and load it in from_disk and from_bytes"
_N_DOCS = 10
"""Documents that make the way: to pickle one is to pickle its vocabulary."""
# spaCy's DocBin leaves these out, whoever wrote them.
_NOT_IN_DOCBIN = frozenset({"doc.tensor", "token.norm"})


def _round_trip(subject: Subject, copy: Callable[[Doc], Doc], how: str, left_out: frozenset) -> Iterator[Problem]:
    told_of = set()
    for passage in subject.good()[:_N_DOCS]:
        try:
            found = snapshot(copy(passage.doc))
        except Exception as error:
            if str(error) not in told_of:
                yield Problem(f"{how} raised {told(error)}", _PLAIN, passage.label)
            told_of.add(str(error))
            continue
        kept = {place: value for place, value in (passage.after or {}).items() if place not in left_out}
        for difference in differences({place: value for place, value in found.items() if place in kept}, kept, 0.0):
            if difference.place not in told_of:
                got = f"after {how}, {difference.place} is {shown(difference.got)}, not {shown(difference.wanted)}"
                yield Problem(got, _PLAIN, passage.label)
            told_of.add(difference.place)


@check("doc-bytes", "an annotated Doc survives to_bytes and from_bytes")
def doc_bytes(subject: Subject) -> Iterator[Problem]:
    yield from _round_trip(
        subject, lambda doc: Doc(subject.nlp.vocab).from_bytes(doc.to_bytes()), "to_bytes", frozenset()
    )


@check("doc-bin", "an annotated Doc survives a DocBin")
def doc_bin(subject: Subject) -> Iterator[Problem]:
    def copy(doc: Doc) -> Doc:
        stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
        return next(DocBin().from_bytes(stored).get_docs(subject.nlp.vocab))

    yield from _round_trip(subject, copy, "a DocBin", _NOT_IN_DOCBIN)


@check("doc-pickle", "an annotated Doc survives pickling")
def doc_pickle(subject: Subject) -> Iterator[Problem]:
    yield from _round_trip(subject, lambda doc: pickle.loads(pickle.dumps(doc)), "pickling", frozenset())


@check("pipeline-bytes", "a pipeline that from_bytes has filled gives the results of the one that to_bytes wrote")
def pipeline_bytes(subject: Subject) -> Iterator[Problem]:
    def load() -> Language:
        return mmpipe.load(subject.tree()).from_bytes(subject.nlp.to_bytes())

    yield from _reloaded(subject, load, "nlp.to_bytes and from_bytes")


@check("to-disk", "a saved pipeline, loaded by spacy.load or mmpipe.load, gives the results of the one that was saved")
def to_disk(subject: Subject) -> Iterator[Problem]:
    try:
        _ = subject.saved
    except NotChecked as reason:
        yield Problem(str(reason), _SAVE)
        return
    faults = list(_reloaded(subject, lambda: spacy.load(subject.saved), "to_disk and spacy.load"))
    yield from faults
    if not faults:
        yield from _reloaded(subject, lambda: mmpipe.load(subject.saved), "to_disk and mmpipe.load")


def _reloaded(subject: Subject, load: Callable[[], Language], how: str) -> Iterator[Problem]:
    passages = subject.good(ordinary=True)
    try:
        again = load()
    except Exception as error:
        yield Problem(f"{how} raised {told(error)}", _SAVE)
        return
    for passage in passages:
        yield from _compared(subject, again, passage, how)


def _compared(subject: Subject, nlp: Language, passage: Passage, how: str) -> Iterator[Problem]:
    try:
        found = snapshot(nlp(mmpipe.make_doc(nlp, passage.record, root=subject.root)))
    except Exception as error:
        yield Problem(f"after {how} it raised {told(error)}", _SAVE, passage.label)
        return
    for difference in differences(found, passage.after or {}, subject.tolerance):
        got = f"after {how}, {difference.place} is {shown(difference.got)}, not {shown(difference.wanted)}"
        yield Problem(got, _SAVE, passage.label)


CHECKS: tuple[Check, ...] = (doc_bytes, doc_bin, doc_pickle, pipeline_bytes, to_disk)
