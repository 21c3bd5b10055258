"""A document that fails, fails alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy.tokens import Doc
from spacy.util import raise_error

from mmpipe.testing.checks.snapshot import differences, shown, snapshot
from mmpipe.testing.checks.subject import Passage, Subject, told
from mmpipe.testing.contract import Check, NotChecked, Problem, check


class InjectedFailure(RuntimeError):
    """What an unreadable document raises."""


class UnreadableDoc(Doc):
    """A Doc that raises InjectedFailure, once `is_armed`, at whatever first reads or writes it; `n_raised` counts."""

    is_armed = False
    n_raised = 0

    def strike(self) -> None:
        if self.is_armed:
            self.n_raised += 1
            raise InjectedFailure("this document cannot be read (a failure that the contract check made)")


def _guarded(name: str) -> property:
    inherited = getattr(Doc, name)

    def read(self: UnreadableDoc) -> Any:
        self.strike()
        return inherited.__get__(self)

    def write(self: UnreadableDoc, value: Any) -> None:
        self.strike()
        inherited.__set__(self, value)

    return property(read, write)


def _guarded_method(name: str) -> Any:
    inherited = getattr(Doc, name)

    def call(self: UnreadableDoc, *args: Any, **kwargs: Any) -> Any:
        self.strike()
        return inherited(self, *args, **kwargs)

    return call


# What only counts tokens or knows the vocabulary raises nothing: a document has a length even when it is unreadable.
for _name in ("text", "text_with_ws", "sents", "ents", "noun_chunks", "cats", "user_data"):
    setattr(UnreadableDoc, _name, _guarded(_name))
for _name in ("__iter__", "__getitem__", "to_array", "char_span", "copy", "to_json", "to_bytes", "to_dict"):
    setattr(UnreadableDoc, _name, _guarded_method(_name))


@check("error-isolation", "a document that fails goes to the error handler alone; the others stay as they are")
def error_isolation(subject: Subject) -> Iterator[Problem]:
    passages = subject.good(ordinary=True)
    if len(passages) < 2:
        raise NotChecked("it takes two ordinary records that come through")
    middle = len(passages) // 2
    for place in dict.fromkeys((middle, len(passages))):
        yield from _try(subject, passages, place)


def _try(subject: Subject, passages: list[Passage], place: int) -> Iterator[Problem]:
    """One document that fails among others, at a place, in one batch with them."""
    docs = [subject.doc(passage.record) for passage in passages]
    bad = subject.doc(subject.failing) if subject.failing is not None else _unreadable(subject, passages[0].record)
    docs.insert(place, bad)
    for index, doc in enumerate(docs):
        doc._context = index
    handled: list[tuple[list[Any], Exception]] = []
    subject.nlp.set_error_handler(lambda name, pipe, failed, error: handled.append((list(failed), error)))
    if isinstance(bad, UnreadableDoc):
        bad.is_armed = True
    where = f"the document at place {place + 1} of {len(docs)} fails"
    try:
        found = list(_through(subject, docs, handled))
    except Exception as error:
        step = "catch what one document raises and hand that document to self.get_error_handler(), as spaCy's Pipe does"
        yield Problem(f"{where}, and the stream ended with {told(error)}", step)
        return
    finally:
        if isinstance(bad, UnreadableDoc):
            bad.is_armed = False
        subject.nlp.set_error_handler(raise_error)
    yield from _judge(subject, passages, docs, bad, place, found, handled)


def _judge(
    subject: Subject, passages: list[Passage], docs: list[Doc], bad: Doc, place: int, found: list[Any], handled: list
) -> Iterator[Problem]:
    where = f"the document at place {place + 1} of {len(docs)} fails"
    came = [doc._context for doc in found if isinstance(doc, Doc)]
    if not handled and place in came:
        if isinstance(bad, UnreadableDoc) and not bad.n_raised:
            raise NotChecked("it never read the document that was to fail; name a record that does in `failing`")
        got = f"{where}, and came out as if nothing had been wrong"
        yield Problem(got, "let the error go to self.get_error_handler()", None)
        return
    blamed = [doc._context for failed, _ in handled for doc in failed if isinstance(doc, Doc)]
    for failed, error in handled:
        if len(failed) != 1:
            got = f"{where}, and {len(failed)} documents went to the error handler together ({told(error)})"
            step = "try the documents of a batch that fails one by one; mmpipe.component.TransformerPipe does"
            yield Problem(got, step)
    innocent = [index for index in dict.fromkeys(blamed) if index != place]
    if innocent and all(len(failed) == 1 for failed, _ in handled):
        label = passages[innocent[0] - (innocent[0] > place)].label
        yield Problem(f"{where}, and {len(innocent)} others were blamed", "blame only what failed", label)
    if place not in blamed:
        yield Problem(f"{where}, and the error handler was not told", "call self.get_error_handler()")
    lost = [i for i in range(len(docs)) if i != place and i not in came and i not in blamed]
    if lost:
        label = passages[lost[0] - (lost[0] > place)].label
        yield Problem(f"{where}, and {len(lost)} others were lost with it", "give the others on", label)
    expected = [passage.after for passage in passages]
    expected.insert(place, None)
    for doc in found:
        if not isinstance(doc, Doc) or doc._context == place or not isinstance(doc._context, int):
            continue
        passage = passages[doc._context - (doc._context > place)]
        for difference in differences(snapshot(doc), expected[doc._context] or {}, subject.tolerance):
            got = (
                f"{where}, and {difference.place} of another is {shown(difference.got)}, not {shown(difference.wanted)}"
            )
            yield Problem(got, "compute a document's result from that document only", passage.label)


def _through(subject: Subject, docs: list[Doc], handled: list) -> Iterator[Any]:
    """As spaCy's `Language.pipe`, which tells the error handler for components that have no `pipe`."""
    if hasattr(subject.pipe, "pipe"):
        yield from subject.pipe.pipe(iter(docs), batch_size=len(docs))
        return
    for doc in docs:
        try:
            yield subject.pipe(doc)
        except Exception as error:
            handled.append(([doc], error))


def _unreadable(subject: Subject, record: Mapping[str, Any]) -> UnreadableDoc:
    given = subject.doc(record)
    made = UnreadableDoc(given.vocab).from_bytes(given.to_bytes())
    return made


CHECKS: tuple[Check, ...] = (error_isolation,)
