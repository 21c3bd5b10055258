"""What a writer promises: equal bytes of equal results, all or nothing of each, and a file that reads back."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from spacy.tokens import Doc

from mmpipe.corpus.formats import close_writer
from mmpipe.document import to_record
from mmpipe.testing.checks.files import WriterSubject
from mmpipe.testing.checks.snapshot import shown
from mmpipe.testing.checks.subject import told
from mmpipe.testing.contract import Check, NotChecked, Problem, check

_DAY_SECONDS = 86_400.0
UNWRITABLE: dict[str, dict[str, Any]] = {
    "an object": {"id": "bad", "text": object()},
    "a set": {"id": "bad", "text": {1, 2}},
    "bytes": {"id": "bad", "text": b"bytes"},
    "NaN": {"id": "bad", "text": "x", "score": float("nan")},
    "half a surrogate pair": {"id": "bad", "text": "half \ud83d"},
}
# What some writers may write all the same, such as those that leave a field out.
_MAY_PASS = frozenset({"NaN", "half a surrogate pair"})


def _label(result: Any) -> str:
    record = to_record(result) if isinstance(result, Doc) else result
    return f"result {record.get('id')!r}"


def _mend(subject: WriterSubject, step: str) -> str:
    """The next step where a file does not read back, which need not be meant to."""
    if subject.foreign_reader is None:
        return step
    endings = ", ".join(subject.spec.suffixes)
    return (
        f"for a format that is only written, skip=['round-trip', 'no-results']: what answers to {endings} is the "
        f"reader {subject.foreign_reader}, none of yours; otherwise name yours in `reader`, or {step}"
    )


def _written(subject: WriterSubject) -> bytes:
    try:
        return subject.written(subject.fresh())
    except Exception as error:
        raise NotChecked(f"the writer raised {told(error)}; see `writes`") from error


@check("writes", "every result that is JSON data is written, and left as it was")
def writes(subject: WriterSubject) -> Iterator[Problem]:
    writer = subject.open(io.BytesIO())
    for result in subject.fresh():
        before = None if isinstance(result, Doc) else copy.deepcopy(result)
        try:
            writer.write(result)
        except Exception as error:
            yield Problem(f"raised {told(error)}", "write it, whatever Unicode and whatever keys", _label(result))
        if before is not None and result != before:
            yield Problem(f"changed the result to {shown(result)}", "copy what you change", _label(before))
    try:
        close_writer(writer)
    except Exception as error:
        yield Problem(f"close raised {told(error)}", "write what is left, and return")


@check("equal-bytes", "equal results give equal bytes, at any time")
def equal_bytes(subject: WriterSubject) -> Iterator[Problem]:
    first = _written(subject)
    then = time.time() + _DAY_SECONDS
    with mock.patch("time.time", return_value=then):
        second = _written(subject)
    if first != second:
        place = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        got = f"{len(first)} bytes, and {len(second)} the second time; they differ from byte {place + 1} on"
        yield Problem(got, "write no time, no random number, no address, and nothing in the order of a set")


@check("refuses", "what cannot be written raises ValueError or TypeError, and nothing of it is written")
def refuses(subject: WriterSubject) -> Iterator[Problem]:
    if subject.spec.takes == "docs":
        raise NotChecked("the writer takes Docs")
    wanted = subject.written(subject.fresh(2))
    for name, bad in UNWRITABLE.items():
        stream = io.BytesIO()
        writer, good = subject.open(stream), subject.fresh(2)
        writer.write(good[0])
        is_refused = False
        try:
            writer.write(bad)
        except (ValueError, TypeError):
            is_refused = True
        except Exception as error:
            yield Problem(f"{name} raised {told(error)}", "raise ValueError or TypeError")
        if not is_refused and name not in _MAY_PASS:
            yield Problem(f"{name} was taken without a word", "raise ValueError or TypeError")
        for result in good[1:]:
            writer.write(result)
        close_writer(writer)
        if is_refused and stream.getvalue() != wanted:
            got = f"{name} was refused, and left the file other than without it"
            yield Problem(got, "encode a result whole before the first byte of it is written")


@check("leaves-open", "close leaves the stream open, for who opened it")
def leaves_open(subject: WriterSubject) -> Iterator[Problem]:
    stream = io.BytesIO()
    writer = subject.open(stream)
    if stream.closed:
        yield Problem("the stream was closed at once", "leave it open")
        return
    for result in subject.fresh(2):
        writer.write(result)
    close_writer(writer)
    if stream.closed:
        yield Problem("the stream was closed", "flush in close(), and leave the stream open")


@check("round-trip", "the reader of the same format gives back what was written, in order")
def round_trip(subject: WriterSubject) -> Iterator[Problem]:
    if subject.reader is None:
        raise NotChecked(
            f"no reader answers to {', '.join(subject.spec.suffixes) or 'its files'}; name one in `reader`"
        )
    data = _written(subject)
    step = _mend(subject, "write what the reader reads: escape what the format needs escaped")
    try:
        items = subject.read_back(data)
    except Exception as error:
        yield Problem(f"the reader raised {told(error)}", step)
        return
    wanted = [to_record(one) if isinstance(one, Doc) else dict(one) for one in subject.fresh()]
    if len(items) != len(wanted):
        yield Problem(f"{len(items)} records came back of {len(wanted)}", step)
        return
    for item, record in zip(items, wanted, strict=True):
        label = f"result {record.get('id')!r}"
        if item.error is not None or item.record is None:
            yield Problem(f"it cannot be read back: {' '.join(str(item.error).split())}", step, label)
            continue
        for key in {**record, **item.record} if subject.keys is None else subject.keys:
            # A table has the same columns for all.
            if item.record.get(key) != record.get(key) and (item.record.get(key) or record.get(key)):
                got = f"{key!r} came back as {shown(item.record.get(key))}, not {shown(record.get(key))}"
                yield Problem(got, step, label)


@check("no-results", "a file without results can be read, and holds none")
def no_results(subject: WriterSubject) -> Iterator[Problem]:
    try:
        data = subject.written([])
    except Exception as error:
        yield Problem(f"raised {told(error)}", "close() without write() writes an empty file of the format")
        return
    if subject.reader is None:
        raise NotChecked("no reader is known")
    step = _mend(subject, "write an empty file of the format in close()")
    try:
        items = subject.read_back(data)
    except Exception as error:
        yield Problem(f"the reader raised {told(error)}", step)
        return
    if items:
        yield Problem(f"{len(items)} records came back", step)


CHECKS: tuple[Check, ...] = (writes, equal_bytes, refuses, leaves_open, round_trip, no_results)
