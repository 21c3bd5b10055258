"""What is asked of a document, and the answers that its record gives to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmpipe import RecordError
from mmpipe.metrics.qa import Answers

Asked = tuple[str, list[tuple[int, int]]]
"""A question, and its answer's first and last-plus-one character in the text; None where the text has none."""


def questions_of(record: Mapping[str, Any], always: Sequence[str] = ()) -> list[str]:
    """Those that are always asked, the record's `question`, its `questions`; blank ones and repetitions left out.

    Raises RecordError where the record holds something else than strings.
    """
    one, many = record.get("question"), record.get("questions")
    ones, many = [] if one is None else [one], [] if many is None else many
    if not isinstance(many, list | tuple) or not all(isinstance(question, str) for question in (*ones, *many)):
        raise RecordError(
            "'question' must be a string and 'questions' a list of strings",
            where=f"record {record['id']!r}" if "id" in record else "record",
        )
    return unique([*always, *ones, *many])


def unique(questions: Iterable[str]) -> list[str]:
    """The questions in their order, each once however it is spaced, without blank ones."""
    found: dict[str, str] = {}
    for question in questions:
        found.setdefault(" ".join(question.split()), question)
    found.pop("", None)
    return list(found.values())


def gold_of(record: Mapping[str, Any], text: str) -> list[Asked]:
    """The questions that the record answers (see mmpipe.metrics.qa), each with its answers that are in the text.

    Of equal ones, one. An answer without a place, or with one where the text says otherwise, is looked for. Questions
    none of whose answers stands in the text are left out; RecordError is raised where the gold is malformed.
    """
    found: list[Asked] = []
    for question in Answers().read_gold(record) or ():
        spans = [span for answer in question.answers if (span := _place(text, answer.text, answer.start))]
        if question.text and (spans or not question.answers):
            found.append((question.text, list(dict.fromkeys(spans))))
    return found


def _place(text: str, answer: str, start: int | None) -> tuple[int, int] | None:
    bare = answer.strip()
    start = None if start is None else start + len(answer) - len(answer.lstrip())
    if start is None or text[start : start + len(bare)] != bare:
        start = text.find(bare)
    return (start, start + len(bare)) if bare and start >= 0 else None
