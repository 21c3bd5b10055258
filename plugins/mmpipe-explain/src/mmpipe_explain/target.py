"""What is explained: one number that a model gives of a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmpipe.models.attribution import Probe, ReadText
from mmpipe.models.windows import Window


@dataclass(frozen=True)
class Target:
    """A score, and the windows of the text that it comes from.

    probe: the model; read: the text as it reads it.
    parts: windows with their shares: the score is the sum of each window's, times its share.
    score: from outputs of a window, array or tensor of shape (n, ...), to shape (n,).
    name: the label, or the answer's text; None for "no answer". against: the label that the score is held against.
    question: that was answered. start, end: of the answer, in characters. probability: as the component has it.
    """

    probe: Probe
    read: ReadText
    parts: tuple[tuple[Window, float], ...]
    score: Callable[[Any], Any]
    name: str | None
    probability: float
    against: str | None = None
    question: str | None = None
    start: int | None = None
    end: int | None = None

    @property
    def pieces(self) -> list[int]:
        """The pieces of the text that the score depends on, in order."""
        return sorted({piece for window, _ in self.parts for piece in window.pieces})

    @property
    def coverage(self) -> float:
        """Their share of all of the text's, 0 to 1."""
        return len(self.pieces) / max(len(self.read.starts), 1)
