"""Windows of unequal length in one tensor, so that padding never shows in a result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from mmpipe.models.known import KnownRows, once_each, window_key
from mmpipe.models.transformer import TransformerShim
from mmpipe.models.unpadded import is_unpadded
from mmpipe.models.windows import Reading, Window, model_max_tokens
from mmpipe.runtime.batching import map_batches, padded_length

Row = TypeVar("Row")

# XLNet reads its answer off the last position, whatever stands there; FNet mixes all positions and knows no mask.
_NEVER_PADDED = frozenset({"xlnet", "fnet"})


def padding_id(config: Any) -> int | None:
    """The id that the model knows as padding; None where it knows none and must read each input alone."""
    own = getattr(config, "pad_token_id", None)
    return own if isinstance(own, int) and own >= 0 and config.model_type not in _NEVER_PADDED else None


def call(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Any:
    """What a module makes of collated inputs. One that takes no attention mask is not given it; it is never padded."""
    is_maskless = "attention_mask" not in _parameters(type(module))
    return module(**{name: value for name, value in inputs.items() if not (is_maskless and name == "attention_mask")})


@lru_cache(maxsize=64)
def _parameters(kind: type) -> frozenset[str]:
    found = inspect.signature(kind.forward).parameters
    has_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in found.values())
    return frozenset(found) | (frozenset({"attention_mask"}) if has_any else frozenset())


def map_windows(
    function: Callable[[dict[str, torch.Tensor]], Sequence[Row]],
    windows: Sequence[Window],
    shim: TransformerShim,
    *,
    budget_tokens: int,
    max_tokens: int,
    what: Any = None,
    is_mixed: bool = False,
) -> list[Row]:
    """Apply `function(inputs)` to all windows batch by batch, without gradients; results in their order.

    Windows of equal tokens, as repeated texts have, are computed once and share a row, which is not to be changed.

    function: takes tensors of shape (n_windows, length) by name, `attention_mask` among them; one row a window.
    what: which rows these are of the model's, and what else decides them, as JSON: under that, the result cache of a
        run keeps them on disk. None keeps nothing there.
    is_mixed: padding is little work: lengths are mixed, as they are anyway where layers do without padding.
    """
    filler = padding_id(shim.config)

    def run(batch: list[Window], length: int) -> Sequence[Row]:
        with torch.inference_mode():
            return function(collate(batch, length, filler or 0, shim.placement.device))

    def compute(distinct: list[Window]) -> list[Row]:
        return map_batches(
            run,
            distinct,
            [len(window) for window in distinct],
            budget_tokens=0 if filler is None else budget_tokens,
            max_tokens=max_tokens,
            is_padded=filler is not None,
            is_mixed=is_mixed or is_unpadded(shim.module),
        )

    keys = [window_key(window.inputs) for window in windows]
    return once_each(compute, windows, keys, KnownRows(shim, what))


def map_readings(
    function: Callable[[dict[str, torch.Tensor]], Sequence[Row]],
    readings: Sequence[Reading],
    shim: TransformerShim,
    **options: Any,
) -> list[list[Row]]:
    """As `map_windows`, over the windows of all readings together: the rows of each reading, in its order."""
    windows = [window for reading in readings for window in reading.windows]
    rows = iter(map_windows(function, windows, shim, **options))
    return [[next(rows) for _ in reading.windows] for reading in readings]


def learn_windows(
    function: Callable[[dict[str, torch.Tensor]], torch.Tensor], windows: Sequence[Window], shim: TransformerShim
) -> torch.Tensor:
    """Apply `function(inputs)` to all windows in one padded batch, with gradients: (n_windows, ...), in their order."""
    filler, device = padding_id(shim.config), shim.placement.device
    if filler is None:
        return torch.cat([function(collate([window], len(window), 0, device)) for window in windows])
    length = padded_length(max(len(window) for window in windows))
    limit = model_max_tokens(shim.config, shim.tokenizer)
    return function(collate(windows, min(length, max(limit, *map(len, windows))), filler, device))


def mean_rows(readings: Sequence[Reading], rows: torch.Tensor) -> torch.Tensor:
    """As `mean_row`, of all readings at once and with gradients: (n_windows, width) to (n_readings, width)."""
    shares = torch.zeros(len(readings), rows.shape[0], device=rows.device)
    column = 0
    for index, reading in enumerate(readings):
        for window in reading.windows:
            shares[index, column] = window.n_new_pieces / max(sum(w.n_new_pieces for w in reading.windows), 1)
            column += 1
    return shares @ rows


def mean_row(reading: Reading, rows: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of a reading's rows, each weighted with the pieces that its window was the first to hold."""
    if len(rows) == 1:
        return rows[0].astype(np.float64)
    return np.average(rows, axis=0, weights=[window.n_new_pieces for window in reading.windows])


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
