"""Texts as vectors of length 1, from the token vectors of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from torch import Tensor, nn

from mmpipe.models.padding import call, map_readings, mean_row
from mmpipe.models.transformer import TransformerShim
from mmpipe.models.windows import Reading

Pooling = Literal["mean", "first"]
"""What becomes of a window's token vectors: "mean" averages them, "first" takes that of the first token ([CLS])."""


def pool(module: nn.Module, inputs: dict[str, Tensor], pooling: Pooling = "mean") -> Tensor:
    """The vector of each window, not normalised: (n_windows, width), float32.

    inputs: collated windows, as `map_windows` and `learn_windows` hand them to their function.
    """
    hidden = call(module, inputs).last_hidden_state.float()
    if pooling == "first":
        return hidden[:, 0]
    mask = inputs["attention_mask"].unsqueeze(-1)
    return (hidden * mask).sum(1) / mask.sum(1)


def embed_readings(
    shim: TransformerShim,
    readings: Sequence[Reading],
    *,
    budget_tokens: int,
    max_tokens: int,
    pooling: Pooling = "mean",
) -> np.ndarray:
    """The vectors of texts, as sentence-transformers makes them: float32, (n_texts, width), each of length 1.

    readings: from `read_texts`. Vectors of a text's windows are averaged, each weighted with the tokens that it was
        the first to read. A text with no tokens has zeros.
    budget_tokens, max_tokens: see mmpipe.models.padding.map_windows.
    """

    def run(inputs: dict[str, Tensor]) -> np.ndarray:
        return pool(shim.module, inputs, pooling).cpu().numpy()

    rows = map_readings(run, readings, shim, budget_tokens=budget_tokens, max_tokens=max_tokens, what=pooling)
    vectors = np.zeros((len(readings), shim.config.hidden_size), dtype=np.float32)
    for index, (reading, of_reading) in enumerate(zip(readings, rows, strict=True)):
        if of_reading:
            vectors[index] = unit(mean_row(reading, of_reading))
    return vectors


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector over its length; one of zeros stays as it is."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
