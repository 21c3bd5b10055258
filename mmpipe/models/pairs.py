"""Questions with their contexts as a model reads them: windows of the context, each behind the whole question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmpipe.errors import RecordError
from mmpipe.models.windows import Frame, LongText, Reading, cut_windows, encode


@dataclass(frozen=True)
class Pieces:
    """Where the pieces of a context stand in it, in characters, each array of shape (n_pieces,).

    starts, ends: of the piece itself, with white space where the tokenizer counts it in.
    word_starts, word_ends: of the word that it is a piece of, as the tokenizer divides words; -1 where it says none.
    """

    starts: np.ndarray
    ends: np.ndarray
    word_starts: np.ndarray
    word_ends: np.ndarray

    def within(self, start: int, end: int) -> range:
        """The pieces that share characters with [start, end)."""
        found = np.flatnonzero((self.starts < end) & (self.ends > start))
        return range(int(found[0]), int(found[-1]) + 1) if len(found) else range(0)


@dataclass(frozen=True)
class PairReading(Reading):
    """A question and its context; `windows`, `n_pieces` and `coverage` are those of the context.

    null_place: where each window holds the token that stands for "no answer" (the checkpoint's [CLS]); counted from
        the end where it stands behind the context; None where the tokenizer has no such token.
    """

    pieces: Pieces
    null_place: int | None


def read_pairs(
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    *,
    max_tokens: int,
    stride_tokens: int,
    long_text: LongText,
    is_context_first: bool | None = None,
) -> list[PairReading]:
    """Cut the context of each pair (question, context) into windows of at most `max_tokens` tokens.

    A window holds special tokens, the whole question and a stretch of the context. Other arguments as for
    `read_texts`.

    is_context_first: whether the model reads the context before the question, as it does a premise before its
        hypothesis. None: as question answering has it, only where the tokenizer pads on the left (XLNet).
    Raises RecordError, naming the question, where it leaves no room for the context.
    """
    if not pairs:
        return []
    if is_context_first is None:
        is_context_first = tokenizer.padding_side != "right"
    context_at = 0 if is_context_first else 1
    firsts, seconds = zip(*(pair if context_at else pair[::-1] for pair in pairs), strict=True)
    encoded = encode(tokenizer, list(firsts), list(seconds))
    readings = []
    for index, (question, _) in enumerate(pairs):
        encoding = encoded[index]
        kinds = encoding.sequence_ids
        start = kinds.index(context_at) if context_at in kinds else len(kinds)
        end = start + kinds.count(context_at)
        frame = Frame({name: encoded[name][index] for name in encoded}, start, start, end)
        n_around = len(kinds) - (end - start)
        if start < end and n_around >= max_tokens:
            raise RecordError(
                f"the question {_shortened(question)} has {n_around} tokens with the special ones and leaves no room "
                f"for text in {max_tokens}",
                next_step="ask it in fewer words, or raise max_tokens where the model allows it",
            )
        cut = cut_windows(frame, max_tokens, stride_tokens, long_text, tokenizer.truncation_side)
        null_places = [i for i, kind in enumerate(kinds) if kind is None and encoding.ids[i] == tokenizer.cls_token_id]
        null_place = null_places[0] if null_places else None
        if null_place is not None and null_place >= end:
            null_place -= len(kinds)
        pieces = _pieces(encoding.offsets[start:end], encoding.word_ids[start:end])
        readings.append(PairReading(cut.windows, cut.n_pieces, cut.coverage, pieces, null_place))
    return readings


def _pieces(offsets: list[tuple[int, int]], words: list[int | None]) -> Pieces:
    starts, ends = np.array(offsets, dtype=np.int64).reshape(-1, 2).T
    if not offsets:
        return Pieces(starts, ends, starts, ends)
    ids = np.array([-1 if word is None else word for word in words], dtype=np.int64)
    firsts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
    lasts = np.append(firsts[1:], len(ids)) - 1
    lengths = lasts - firsts + 1
    word_starts, word_ends = np.repeat(starts[firsts], lengths), np.repeat(ends[lasts], lengths)
    return Pieces(starts, ends, np.where(ids < 0, -1, word_starts), np.where(ids < 0, -1, word_ends))


def _shortened(question: str, most: int = 60) -> str:
    return repr(question if len(question) <= most else question[: most - 3] + "...")
