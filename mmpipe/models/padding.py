"""Windows of unequal length in one tensor, so that padding never shows in a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from mmpipe.models.transformer import TransformerShim
from mmpipe.models.windows import Window
from mmpipe.runtime.batching import LENGTH_STEP, map_batches

Row = TypeVar("Row")

# It reads its answer off the last position, whatever stands there.
_NEVER_PADDED = frozenset({"xlnet"})


def padding_id(config: Any) -> int | None:
    """The id that the model knows as padding; None where it knows none and must read each input alone."""
    own = getattr(config, "pad_token_id", None)
    return own if isinstance(own, int) and own >= 0 and config.model_type not in _NEVER_PADDED else None


def map_windows(
    function: Callable[[dict[str, torch.Tensor]], Sequence[Row]],
    windows: Sequence[Window],
    shim: TransformerShim,
    *,
    budget_tokens: int,
    max_tokens: int,
) -> list[Row]:
    """Apply `function(inputs)` to all windows batch by batch, without gradients; results in their order.

    function: takes tensors of shape (n_windows, length) by name, `attention_mask` among them; one row a window.
    """
    filler = padding_id(shim.config)

    def run(batch: list[Window], length: int) -> Sequence[Row]:
        with torch.inference_mode():
            return function(collate(batch, length, filler or 0, shim.placement.device))

    return map_batches(
        run,
        windows,
        [len(window) for window in windows],
        budget_tokens=0 if filler is None else budget_tokens,
        max_tokens=max_tokens,
        step=1 if filler is None else LENGTH_STEP,
    )


def collate(windows: Sequence[Window], length: int, filler: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Pad windows on the right to `length` and stack them: tensors of shape (n_windows, length)."""
    inputs: dict[str, torch.Tensor] = {}
    for name in windows[0].inputs:
        rows = np.full((len(windows), length), filler if name == "input_ids" else 0, dtype=np.int64)
        for row, window in enumerate(windows):
            rows[row, : len(window)] = window.inputs[name]
        inputs[name] = torch.from_numpy(rows).to(device)
    mask = np.arange(length) < np.array([[len(window)] for window in windows])
    inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(device)
    return inputs
