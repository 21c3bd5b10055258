"""From start and end logits to answers: candidates compared across windows, ranked, and told apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mmpipe.models.pairs import Pieces

Compare = Literal["no_answer", "window"]

# Written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han, their marks and full-width forms.
_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class WindowLogits:
    """What a model says of one window, float32.

    start, end: of the pieces of the context, shape (n_pieces_of_window,); first_piece: which piece comes first.
    null_start, null_end: of the token that stands for "no answer"; -inf where there is none.
    """

    start: np.ndarray
    end: np.ndarray
    first_piece: int
    null_start: float
    null_end: float


@dataclass(frozen=True)
class SpanLogits:
    """What a model says of one question and its context.

    coverage: the share of the context's tokens that was read, 0 to 1. No windows: there was nothing to read.
    """

    context: str
    pieces: Pieces
    windows: tuple[WindowLogits, ...]
    coverage: float


@dataclass(frozen=True)
class Candidate:
    """A stretch of the context in characters, without white space around it, and its probability, 0 to 1.

    window: which window's logits decided; pieces: the pieces of the context whose first has the start logit and whose
    last the end logit. The stretch may be longer, where answers are completed to words.
    """

    start: int
    end: int
    score: float
    window: int = field(compare=False)
    pieces: range


@dataclass(frozen=True)
class Answers:
    """Candidates, best first, no two with the same text; the probability of no answer, 0 to 1; coverage, 0 to 1."""

    candidates: tuple[Candidate, ...]
    no_answer_score: float
    coverage: float


def find_answers(
    logits: SpanLogits,
    *,
    top_k: int = 1,
    max_answer_tokens: int = 15,
    align_to_words: bool = True,
    compare: Compare = "no_answer",
) -> Answers:
    """The `top_k` best answers, or as many as there are.

    In one window, a score is the probability of the first piece times that of the last, each a softmax over context
    and "no answer" token (Devlin et al. 2019, "BERT"), as in Hugging Face's pipeline. The probability of no answer is
    that of the token twice, in the window where it is lowest.

    max_answer_tokens: the most pieces in an answer.
    align_to_words: an answer that begins or ends inside a word takes the whole word, but never grows through
        writing without spaces, such as Chinese; a letter keeps the marks that combine with it, everywhere.
    compare: how windows of a long text are made comparable. "no_answer": relative to the window's own "no answer",
        the one outcome that all windows share; a score is divided by as much as no answer is likelier in its window
        than in the window where that is least likely. "window": as it stands, as in Hugging Face's pipeline; so it
        is too for checkpoints without a "no answer" token.
    """
    if not logits.windows:
        return Answers((), 1.0, logits.coverage)
    nulls = np.array([window.null_start + window.null_end for window in logits.windows], dtype=np.float64)
    masses = np.array([_mass(w.start, w.null_start) + _mass(w.end, w.null_end) for w in logits.windows])
    is_relative = compare == "no_answer" and np.isfinite(nulls).all()
    scales = nulls + (masses - nulls).max() if is_relative else masses
    words = _words(logits) if align_to_words else None
    found: dict[str, Candidate] = {}
    places: set[tuple[int, int]] = set()
    for window, first, last, log_score in _ranked(logits.windows, scales, max_answer_tokens, enough=8 * top_k):
        place = _place(logits, first, last, words)
        # Of one very long word, all spans are the same answer.
        if place in places:
            continue
        places.add(place)
        start, end = _trimmed(logits.context, *place, keeps_marks=align_to_words)
        text = logits.context[start:end].lower()
        if text and text not in found:
            found[text] = Candidate(start, end, float(np.exp(log_score)), window, range(first, last + 1))
            if len(found) == top_k:
                break
    return Answers(tuple(found.values()), float(np.exp((nulls - masses).min())), logits.coverage)


def _mass(logits: np.ndarray, null: float) -> float:
    """The logarithm of the sum of the exponentials."""
    values = np.append(logits.astype(np.float64), null)
    most = values.max()
    return float(most + np.log(np.exp(values - most).sum()))


def _ranked(
    windows: Sequence[WindowLogits], scales: np.ndarray, max_answer_tokens: int, *, enough: int
) -> Iterator[tuple[int, int, int, float]]:
    """All spans as (window, first piece, last piece, log score), best first, of equal ones the earlier first."""
    scores, origins = [], []
    for window, scale in zip(windows, scales, strict=True):
        n_pieces = len(window.start)
        width = min(max_answer_tokens, n_pieces)
        ends = np.append(window.end.astype(np.float64), np.full(width - 1, -np.inf))
        # Row i holds the spans that begin at piece i, by their length.
        spans = window.start.astype(np.float64)[:, None] + np.lib.stride_tricks.sliding_window_view(ends, width)
        scores.append((spans - scale).ravel())
        starts = np.repeat(np.arange(n_pieces), width) + window.first_piece
        origins.append(np.stack([starts, starts + np.tile(np.arange(width), n_pieces)]))
    bounds = np.cumsum([len(of_window) for of_window in scores])
    flat, (firsts, lasts) = np.concatenate(scores), np.concatenate(origins, axis=1)
    done = 0
    while done < len(flat):
        n_sorted = min(max(enough, 4 * done), len(flat))
        best = np.argpartition(-flat, n_sorted - 1)[:n_sorted]
        # Ties at the edge of the chosen are many, and which of them are chosen is chance: take them all or none.
        best = np.flatnonzero(flat >= flat[best].min())
        best = best[np.argsort(-flat[best], kind="stable")]
        for index in best[done:]:
            if flat[index] == -np.inf:
                return
            place = int(np.searchsorted(bounds, index, side="right"))
            yield place, int(firsts[index]), int(lasts[index]), float(flat[index])
        done = len(best)


def _words(logits: SpanLogits) -> tuple[np.ndarray, np.ndarray]:
    """How far a span grows that begins, or ends, with a piece, in characters: two of shape (n_pieces,); -1: not."""
    pieces = logits.pieces
    stops = sorted({place for char in _SPACELESS.finditer(logits.context) for place in char.span()})
    bounds = np.array([-1, *stops, len(logits.context) + 1], dtype=np.int64)
    before = bounds[np.searchsorted(bounds, pieces.starts, side="right") - 1]
    behind = bounds[np.searchsorted(bounds, pieces.ends, side="left")]
    starts = np.minimum(np.maximum(pieces.word_starts, before), pieces.starts)
    ends = np.maximum(np.minimum(pieces.word_ends, behind), pieces.ends)
    return np.where(pieces.word_starts < 0, -1, starts), np.where(pieces.word_ends < 0, -1, ends)


def _place(logits: SpanLogits, first: int, last: int, words: tuple[np.ndarray, np.ndarray] | None) -> tuple[int, int]:
    """Where a span of pieces begins and ends in the context, completed to `words` where both ends have one."""
    if words is not None and words[0][first] >= 0 and words[1][last] >= 0:
        return int(words[0][first]), int(words[1][last])
    return int(logits.pieces.starts[first]), int(logits.pieces.ends[last])


def _trimmed(context: str, start: int, end: int, *, keeps_marks: bool) -> tuple[int, int]:
    """A stretch without the white space around it; with the marks that combine with its last letter, if wanted."""
    if keeps_marks and start < end:
        while start > 0 and unicodedata.category(context[start])[0] == "M":
            start -= 1
        while end < len(context) and unicodedata.category(context[end])[0] == "M":
            end += 1
    text = context[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip()) if text.strip() else start
