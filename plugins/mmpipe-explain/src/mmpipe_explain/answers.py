"""What is explained of an extractor: the start and end logits of the answer that was given, or of there being none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from spacy.tokens import Doc

from mmpipe import RecordError
from mmpipe.component import TransformerPipe
from mmpipe.models.answer import SpanLogits, find_answers
from mmpipe.models.attribution import Probe
from mmpipe_explain.target import Target

_SETTINGS = ("max_answer_tokens", "align_to_words", "compare")
_MOST_CANDIDATES = 20


def answer_targets(pipe: TransformerPipe, probe: Probe, doc: Doc, *, min_score: float) -> Iterator[Target]:
    """For each answer in the component's field whose score is at least min_score: the sum of two logits.

    They are those of the answer's first and last piece, in the window that decided; where no answer was given, those of
    the token that stands for that, in the window where it is least likely.
    """
    results = doc._.get(pipe.field)
    settings = {key: pipe.cfg[key] for key in _SETTINGS if key in pipe.cfg}
    for result in results if isinstance(results, list | tuple) else ():
        if not (isinstance(result, Mapping) and isinstance(result.get("question"), str)):
            continue
        is_given = isinstance(result.get("start"), int)
        probability = float(result.get("score" if is_given else "no_answer_score") or 0.0)
        (logits,) = pipe.model.predict([(result["question"], doc.text)])
        if not logits.windows or probability < min_score:
            continue
        read = probe.read(doc.text, result["question"])
        if is_given:
            index, first, last = _deciding(logits, result["start"], result["end"], settings)
            shift = read.windows[index].place - read.windows[index].pieces.start
            places = (first + shift, last + shift)
        else:
            index = _least_empty(logits)
            if read.null_places[index] is None:
                continue
            places = (read.null_places[index],) * 2
        yield Target(
            probe,
            read,
            ((read.windows[index], 1.0),),
            logits_at(*places),
            result.get("text"),
            probability,
            question=result["question"],
            start=result.get("start"),
            end=result.get("end"),
        )


def logits_at(first: int, last: int) -> Callable[[Any], Any]:
    """From start and end logits, shape (n, 2, length), to the sum of one of each."""
    return lambda logits: logits[:, 0, first] + logits[:, 1, last]


def _deciding(logits: SpanLogits, start: int, end: int, settings: Mapping[str, Any]) -> tuple[int, int, int]:
    """The window, and the first and last piece, that an answer came from. Raises RecordError where none holds it."""
    for candidate in find_answers(logits, top_k=_MOST_CANDIDATES, **settings).candidates:
        if (candidate.start, candidate.end) == (start, end):
            return candidate.window, candidate.pieces[0], candidate.pieces[-1]
    # A component that finds answers in its own way: where this stretch scores highest.
    pieces = logits.pieces.within(start, end)

    def score(index: int) -> float:
        if not pieces:
            return -float("inf")
        window = logits.windows[index]
        first, last = pieces[0] - window.first_piece, pieces[-1] - window.first_piece
        is_inside = first >= 0 and last < len(window.start)
        return float(window.start[first] + window.end[last]) if is_inside else -float("inf")

    best = max(range(len(logits.windows)), key=score)
    if score(best) == -float("inf"):
        raise RecordError(
            f"the answer at characters {start} to {end} stands in nothing that the model reads at once",
            next_step="explain answers with the model that found them; its windows may be too short for this one",
        )
    return best, pieces[0], pieces[-1]


def _least_empty(logits: SpanLogits) -> int:
    """The window that says least that there is no answer."""
    alone = [find_answers(replace(logits, windows=(window,))).no_answer_score for window in logits.windows]
    return alone.index(min(alone))
