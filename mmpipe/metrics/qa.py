"""The metric `qa`: answers to questions, and whether a question has one at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmpipe.errors import RecordError
from mmpipe.metrics import squad
from mmpipe.metrics.base import Figures, Metric, Pair, malformed
from mmpipe.metrics.charts import Chart, histogram, line
from mmpipe.metrics.threshold import best_threshold, sweep

_SHAPES = 'a list of texts or of {"text", "start"}, one such list for each of several questions, or {question: list}'


@dataclass(frozen=True)
class Answer:
    """A right answer. start: offset into the text in characters, None where the gold does not say."""

    text: str
    start: int | None = None


@dataclass(frozen=True)
class Question:
    """A question with its right answers, () where it has none in the text. text: None where the gold does not say."""

    text: str | None
    answers: tuple[Answer, ...]


class Answers(Metric):
    """Exact match and F1 in percent, as SQuAD's official scripts have them, and how well "no answer" is told.

    Gold, under `answers` by default: for the record's `question`, a list of texts or of {"text", "start"}, [] where
    there is no answer; for its `questions`, one such list each, in order; or a dict from questions to such lists.
    SQuAD's {"text": [...], "answer_start": [...]} is read, too. `impossible: true`, or `is_impossible`, means none.
    Where every question has an answer the definitions are those of the script for SQuAD 1.1, else of that for 2.0.
    """

    name = "qa"
    gold_key = "answers"
    headline = "f1"

    def read_gold(self, record: Mapping[str, Any], key: str | None = None) -> list[Question] | None:
        """The record's questions with their answers; see the class for the shapes."""
        key = key or self.gold_key
        value = record.get(key)
        if record.get("impossible") is True or record.get("is_impossible") is True:
            return [Question(record.get("question"), ())]
        if value is None or value == "" or value == {}:
            return None
        if isinstance(value, dict) and set(value) != {"text", "answer_start"}:
            return [Question(text, _answers(record, key, one)) for text, one in value.items()]
        asked = record.get("questions")
        if asked is None:
            return [Question(record.get("question"), _answers(record, key, value))]
        asked = [*([record["question"]] if record.get("question") is not None else []), *asked]
        if not isinstance(value, list) or len(value) != len(asked):
            malformed(record, key, f"a list of {len(asked)} lists, one for each question", value)
        return [Question(text, _answers(record, key, one)) for text, one in zip(asked, value, strict=True)] or None

    def pairs(self, gold: Sequence[Question], predicted: Any) -> list[Pair]:
        """A pair a question; its prediction is the list of the entries for that question, best first."""
        entries = [entry for entry in predicted if _is_entry(entry)] if isinstance(predicted, list) else []
        found = []
        for question in gold:
            mine = [entry for entry in entries if _is_for(entry, question.text)]
            if not mine or (question.text is None and len({entry["question"] for entry in mine}) > 1):
                asked = ", ".join(sorted({repr(entry["question"]) for entry in entries})) or "nothing"
                raise RecordError(
                    f"the gold answers {question.text!r}, and the pipeline was asked {asked}",
                    next_step="put the question into the record (`question`, `questions`), or into the config",
                )
            found.append(Pair(question, mine, mine[0]["question"] or ""))
        return found

    def measure(self, pairs: Sequence[Pair]) -> Figures:
        """exact, f1: in percent. With questions that have no answer also: has_answer_exact, has_answer_f1 and
        no_answer_exact (the same over each kind); answerable_accuracy (share of questions rightly taken for
        answerable or not) and answerable_by_majority (what always saying the commoner one gives); best_f1,
        best_exact and best_answerable_accuracy with `<name>_threshold`: what an answer given only where
        no_answer_score <= threshold could reach on these very questions, so an upper bound.
        """
        return {"script": f"SQuAD {version_of(pairs)}", **_figures(_rows(pairs))}

    def recounter(self, pairs: Sequence[Pair]) -> Callable[[np.ndarray], dict[str, float]]:
        rows = _rows(pairs)
        return lambda chosen: _figures(rows[chosen], with_thresholds=False)

    def judge_each(self, pairs: Sequence[Pair]) -> list[float]:
        version = version_of(pairs)
        return [100 * squad.f1(said(pair), texts(pair), version) for pair in pairs]

    def charts(self, pairs: Sequence[Pair]) -> list[Chart]:
        rows = _rows(pairs)
        is_answerable, no_answer = rows[:, 3].astype(bool), rows[:, 7]
        found = [histogram("F1 of each question", "F1", {"questions": 100 * rows[:, 1]})]
        if np.isfinite(no_answer).all() and not is_answerable.all():
            lines = {
                name: line(*_in_percent(*sweep(no_answer, if_given, 1 - is_answerable)))
                for name, if_given in _gains(rows).items()
            }
            title = "If answers were given up to a threshold on no_answer_score"
            found.append(Chart("lines", title, "threshold", "percent", lines))
            kinds = {"has an answer": no_answer[is_answerable], "has none": no_answer[~is_answerable]}
            found.append(histogram("no_answer_score", "no_answer_score", kinds))
        return found

    def show(self, pair: Pair) -> tuple[str, str]:
        return " / ".join(dict.fromkeys(texts(pair))) or "(no answer)", said(pair) or "(no answer)"

    @classmethod
    def recognises(cls, value: Any) -> bool:
        return bool(value) and isinstance(value, list) and all(_is_entry(entry) for entry in value)


def texts(pair: Pair) -> list[str]:
    """The right answers of a pair."""
    return [answer.text for answer in pair.gold.answers]


def said(pair: Pair) -> str:
    """The answer that was given; "" for none."""
    return pair.predicted[0].get("text") or ""


def version_of(pairs: Sequence[Pair]) -> squad.Version:
    """The script whose definitions apply: 2.0 as soon as one question has no answer."""
    return "1.1" if all(pair.gold.answers for pair in pairs) else "2.0"


def candidates(pairs: Sequence[Pair]) -> tuple[np.ndarray, ...]:
    """What a threshold on no_answer_score chooses from, each of shape (n_pairs,).

    is_answerable: whether the gold has an answer. has_text, exact, f1: of the best text, given or not (one that was
    not given stands among the `alternatives`, or is not known). no_answer_scores: NaN where the pipeline gives none.
    """
    version, rows = version_of(pairs), []
    for pair in pairs:
        listed = [one for entry in pair.predicted for one in (entry, *(entry.get("alternatives") or ()))]
        text = next((one["text"] for one in listed if one.get("text")), "")
        score = pair.predicted[0].get("no_answer_score")
        golds = texts(pair)
        rows.append(
            (
                bool(golds),
                bool(text),
                squad.exact(text, golds, version),
                squad.f1(text, golds, version),
                np.nan if score is None else float(score),
            )
        )
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def _rows(pairs: Sequence[Pair]) -> np.ndarray:
    """What is counted of each pair, once: shape (n_pairs, 8)."""
    version = version_of(pairs)
    given = [
        (squad.exact(said(pair), texts(pair), version), squad.f1(said(pair), texts(pair), version), bool(said(pair)))
        for pair in pairs
    ]
    return np.column_stack([np.array(given, dtype=float), *(column.astype(float) for column in candidates(pairs))])


def _figures(rows: np.ndarray, with_thresholds: bool = True) -> dict[str, float]:
    exact, f1, is_given, is_answerable, *_, no_answer = rows.T
    figures = {"exact": 100 * exact.mean(), "f1": 100 * f1.mean()}
    answerable = is_answerable.astype(bool)
    if answerable.all():
        return {key: float(value) for key, value in figures.items()}
    if answerable.any():
        figures |= {
            "has_answer_exact": 100 * exact[answerable].mean(),
            "has_answer_f1": 100 * f1[answerable].mean(),
        }
    figures |= {
        "no_answer_exact": 100 * exact[~answerable].mean(),
        "answerable_accuracy": (is_given == is_answerable).mean(),
        "answerable_by_majority": max(answerable.mean(), 1 - answerable.mean()),
    }
    if with_thresholds and np.isfinite(no_answer).all():
        for name, if_given in _gains(rows).items():
            best, threshold = best_threshold(no_answer, if_given, 1 - is_answerable)
            scale = 1 if name == "answerable_accuracy" else 100
            figures |= {f"best_{name}": scale * best, f"best_{name}_threshold": threshold}
    return {key: float(value) for key, value in figures.items()}


def _gains(rows: np.ndarray) -> dict[str, np.ndarray]:
    """What giving the best text of each pair would gain; holding it back gains 1 where there is no answer.

    To a question without an answer any text is wrong, as the official script counts in its search.
    """
    _, _, _, is_answerable, has_text, exact, f1, _ = rows.T
    held_back = 1 - has_text
    return {
        "exact": np.where(is_answerable, exact, held_back),
        "f1": np.where(is_answerable, f1, held_back),
        "answerable_accuracy": np.where(is_answerable, has_text, held_back),
    }


def _in_percent(thresholds: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return thresholds, 100 * means


def _answers(record: Mapping[str, Any], key: str, value: Any) -> tuple[Answer, ...]:
    if isinstance(value, dict) and set(value) == {"text", "answer_start"}:
        value = [{"text": text, "start": start} for text, start in zip(*value.values(), strict=False)]
    value = [value] if isinstance(value, str | dict) else value
    if value is None or value == [None]:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) or _is_answer(one) for one in value):
        malformed(record, key, _SHAPES, value)
    found = (
        Answer(one) if isinstance(one, str) else Answer(one["text"], one.get("start", one.get("answer_start")))
        for one in value
    )
    return tuple(answer for answer in found if answer.text.strip())


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and {"question", "text"} <= set(value)


def _is_for(entry: Any, question: str | None) -> bool:
    return _is_entry(entry) and (question is None or " ".join(entry["question"].split()) == " ".join(question.split()))
