"""What a method finds: a weight for each unit of a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Attribution:
    """weights: shape (n_units,), in units of the score. Above zero: the unit speaks for the target.

    elsewhere: the weight of what stands on no character of the text, such as special tokens.
    score: of the whole text. baseline_score: of the baseline, for methods that go there.
    convergence_delta: what the weights and `elsewhere` sum to, less the difference of the two scores.
    n_steps: that integrated gradients took in the end.
    """

    weights: np.ndarray
    elsewhere: float
    score: float
    baseline_score: float | None = None
    convergence_delta: float | None = None
    n_steps: int | None = None
