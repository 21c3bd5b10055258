"""`check_reader` and `check_writer`: the contracts of formats, proved on anyone's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import spacy

from mmpipe.corpus.columns import Columns
from mmpipe.document import make_doc
from mmpipe.specs import ReaderSpec, WriterSpec
from mmpipe.testing.checks import reading, writing
from mmpipe.testing.checks.files import Reader, ReaderSubject, WriterSubject, reader_for, reader_of, writer_of
from mmpipe.testing.contract import ContractReport, run_checks
from mmpipe.testing.records import AWKWARD_RECORDS, ORDINARY_RECORDS, REFUSED

READER_CHECKS = tuple(check.name for check in reading.CHECKS)
"""Names of the checks of `check_reader`, for `only` and `skip`, in the order they run."""
WRITER_CHECKS = tuple(check.name for check in writing.CHECKS)
"""Names of the checks of `check_writer`, for `only` and `skip`, in the order they run."""


def check_reader(
    reader: str | ReaderSpec | Reader,
    encode: Callable[[Sequence[Mapping[str, Any]]], bytes],
    *,
    keys: Sequence[str] = ("id", "text"),
    broken: bytes | None = None,
    suffix: str | None = None,
    is_single: bool = False,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> ContractReport:
    """Prove that a reader keeps the contract of `mmpipe.ReaderSpec`.

    reader: the name of one that a plugin provides, its spec, or its function.
    encode: makes a file of its format of records `{"id": ..., "text": ...}`, of one where `is_single`.
    keys: what the reader gives back of those two; `()` for a format that holds neither.
    broken: a file with a record that cannot be read between others that can.
    suffix: the ending of its files; the first of the spec's when None. is_single: a file is one record.
    only, skip: names of checks (READER_CHECKS); what is left out stands in the report.
    Raises ContractError, an AssertionError, that lists every fault; ValueError for a name that no check has.
    """
    __tracebackhide__ = True
    read, own = reader_of(reader)
    ending = own if suffix is None else suffix
    subject = ReaderSubject(read, encode, tuple(keys), ending, is_single, broken)
    try:
        return run_checks(f"reader {_name(reader)!r}", subject, reading.CHECKS, only=only, skip=skip)
    finally:
        subject.folder.cleanup()


def check_writer(
    writer: str | WriterSpec | Callable[..., Any],
    *,
    results: Sequence[Mapping[str, Any]] | None = None,
    keys: Sequence[str] | None = None,
    reader: str | ReaderSpec | Reader | None = None,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> ContractReport:
    """Prove that a writer keeps the contract of `mmpipe.WriterSpec`.

    writer: the name of one that a plugin provides, its spec, or its class or function.
    results: two or more; ordinary and awkward ones when None. A writer that takes Docs is given theirs.
    keys: which keys of a result its file keeps; all when None, and `id` and `text` for tables and Docs.
    reader: reads its files; the one that answers to its ending when None.
    only, skip: names of checks (WRITER_CHECKS); what is left out stands in the report.
    Raises ContractError, an AssertionError, that lists every fault; ValueError for a name that no check has.
    """
    __tracebackhide__ = True
    spec, write = writer_of(writer)
    given = [dict(one) for one in (_sample() if results is None else results)]
    if keys is None and (spec.is_table or spec.takes == "docs"):
        keys = ("id", "text")
    columns = Columns.of(given, {})
    if spec.takes == "docs":
        nlp = spacy.blank("en")
        given = [make_doc(nlp, one) for one in given]  # type: ignore[misc]
    read, foreign = reader_for(spec) if reader is None else (reader_of(reader)[0], None)
    subject = WriterSubject(spec, write, given, columns, None if keys is None else tuple(keys), read, foreign)
    try:
        return run_checks(f"writer {_name(writer)!r}", subject, writing.CHECKS, only=only, skip=skip)
    finally:
        subject.folder.cleanup()


def _name(given: Any) -> str:
    return given if isinstance(given, str) else getattr(given, "name", getattr(given, "__name__", repr(given)))


def _sample() -> list[dict[str, Any]]:
    """Results with texts and ids of their own, as a run writes them."""
    records = [*ORDINARY_RECORDS, *(record for name, record in AWKWARD_RECORDS.items() if name not in REFUSED)]
    found = []
    for index, record in enumerate(records):
        text, score = record.get("text"), 1 / (index + 3)
        extras = {key: value for key, value in record.items() if key not in ("id", "text") and key}
        result = {"id": f"r{index}", "text": text if text else f"text {index}", **extras}
        found.append({**result, "tone": {"label": "calm", "score": score}})
    return found
