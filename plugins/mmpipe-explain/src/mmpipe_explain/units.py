"""What a weight belongs to: tokens, words or sentences made of the model's pieces, by their characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc

from mmpipe.component import sentences
from mmpipe.models.attribution import ReadText
from mmpipe_explain.options import Unit


@dataclass(frozen=True)
class Stretch:
    """Characters [start, end) of a text, and the pieces of the model that stand in them."""

    start: int
    end: int
    pieces: tuple[int, ...]


def stretches_of(doc: Doc, unit: Unit, read: ReadText, pieces: Iterable[int]) -> list[Stretch]:
    """The units of a document that hold any of these pieces, in order; together they hold each piece once.

    What a piece straddles is one unit, for nobody can divide its weight. Only pieces that stand on no character are in
    no unit.
    """
    return merge(doc.text, _bounds(doc, unit), read, pieces)


def merge(text: str, bounds: Sequence[tuple[int, int]], read: ReadText, pieces: Iterable[int]) -> list[Stretch]:
    """As `stretches_of`. bounds: where units begin and end before they are merged, in order, none over another."""
    places = {piece: place for piece in pieces if (place := _place(text, read, piece))}
    touched, at = [], 0
    for start, end in sorted(set(places.values())):
        while at < len(bounds) and bounds[at][1] <= start:
            at += 1
        after = at
        while after < len(bounds) and bounds[after][0] < end:
            touched.append(bounds[after])
            after += 1
        touched.append((start, end))
    merged: list[list[int]] = []
    for start, end in sorted(set(touched)):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    held: list[list[int]] = [[] for _ in merged]
    at = 0
    for piece, (start, _) in sorted(places.items(), key=lambda item: item[1]):
        while merged[at][1] <= start:
            at += 1
        held[at].append(piece)
    return [Stretch(start, end, tuple(sorted(own))) for (start, end), own in zip(merged, held, strict=True)]


def _place(text: str, read: ReadText, piece: int) -> tuple[int, int] | None:
    """Where a piece stands, without the white space that some tokenizers count in, unless it is nothing else."""
    start, end = int(read.starts[piece]), int(read.ends[piece])
    own = text[start:end]
    if own.strip():
        return start + len(own) - len(own.lstrip()), end - len(own) + len(own.rstrip())
    return (start, end) if start < end else None


def _bounds(doc: Doc, unit: Unit) -> list[tuple[int, int]]:
    if unit == "token":
        return [(token.idx, token.idx + len(token)) for token in doc]
    if unit == "word":
        return [match.span() for match in re.finditer(r"\S+", doc.text)]
    if unit == "sentence":
        return [(sent.start_char, sent.end_char) for sent in sentences(doc)]
    return []
