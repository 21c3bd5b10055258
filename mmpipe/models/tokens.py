"""Documents as an encoder reads them, and its pieces' vectors as vectors of spaCy's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc
from torch import Tensor

from mmpipe.models.windows import Frame, Reading, cut_windows, encode, own_pieces


@dataclass(frozen=True)
class DocReading(Reading):
    """A document's windows, and which of its pieces stand in which of its tokens.

    tokens, pieces: shape (n_pairs,): token `tokens[i]` shares characters with piece `pieces[i]`. A token that is
        white space has no piece; a piece may stand in two tokens.
    n_tokens: spaCy's.
    """

    tokens: np.ndarray
    pieces: np.ndarray
    n_tokens: int


def read_docs(tokenizer: Any, docs: Sequence[Doc], *, max_tokens: int, stride_tokens: int) -> list[DocReading]:
    """Cut the whole text of each document into windows; see mmpipe.models.windows.read_texts."""
    if not docs:
        return []
    encoded = encode(tokenizer, [doc.text for doc in docs], return_special_tokens_mask=True)
    masks = encoded.pop("special_tokens_mask")
    readings = []
    for index, (doc, mask) in enumerate(zip(docs, masks, strict=True)):
        start, end = own_pieces(mask)
        frame = Frame({name: encoded[name][index] for name in encoded}, start, start, end)
        cut = cut_windows(frame, max_tokens, stride_tokens, "window", tokenizer.truncation_side)
        tokens, pieces = _align(doc, np.array(encoded[index].offsets[start:end], dtype=np.int64).reshape(-1, 2))
        readings.append(DocReading(cut.windows, cut.n_pieces, cut.coverage, tokens, pieces, len(doc)))
    return readings


def token_vectors(reading: DocReading, hidden: Sequence[Tensor]) -> Tensor:
    """The vector of each token: the mean of its pieces', and of a piece that several windows hold their mean there.

    hidden: of each window, the encoder's vector of every place in it, shape (length, width), padding at the end.
    Returns shape (n_tokens, width); zeros for a token without pieces.
    """
    rows = [
        vectors[window.place : window.place + len(window.pieces)]
        for window, vectors in zip(reading.windows, hidden, strict=True)
    ]
    found = rows[0]
    if len(rows) > 1:
        held = np.concatenate([np.asarray(window.pieces) for window in reading.windows])
        found = _mean_at(held, torch.cat(rows), reading.n_pieces)
    return _mean_at(reading.tokens, found[torch.from_numpy(reading.pieces).to(found.device)], reading.n_tokens)


def _mean_at(places: np.ndarray, rows: Tensor, size: int) -> Tensor:
    """The mean of the rows that go to each of `size` places; zeros where none goes."""
    index = torch.from_numpy(places).to(rows.device)
    counts = torch.bincount(index, minlength=size).clamp(min=1)
    return rows.new_zeros(size, rows.shape[1]).index_add(0, index, rows) / counts.unsqueeze(1)


def _align(doc: Doc, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of tokens and pieces that share characters; offsets: of the pieces, (n_pieces, 2), in their order."""
    begins, lengths = doc.to_array([IDX, LENGTH]).astype(np.int64).reshape(-1, 2).T
    firsts = np.searchsorted(offsets[:, 1], begins, side="right")
    counts = np.maximum(np.searchsorted(offsets[:, 0], begins + lengths, side="left") - firsts, 0)
    tokens = np.repeat(np.arange(len(counts)), counts)
    ranks = np.arange(len(tokens)) - np.repeat(np.cumsum(counts) - counts, counts)
    return tokens, np.repeat(firsts, counts) + ranks
