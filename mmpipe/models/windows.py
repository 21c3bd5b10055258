"""Text longer than a model, in windows of that model's own tokens: what is read, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from mmpipe.errors import ModelError, RecordError
from mmpipe.models.checkpoint import TOKENIZER_LOCK

LongText = Literal["window", "truncate", "error"]

# Their position table starts after the padding id: 514 rows serve 512 tokens.
_OFFSET_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "roberta-prelayernorm"}
)


@dataclass(frozen=True)
class Window:
    """A stretch of one text as the model reads it.

    inputs: tokenizer outputs by name (`input_ids`, `token_type_ids`), with special tokens, unpadded.
    n_new_pieces: pieces that no earlier window of the text held; at least 1 for a text with any.
    """

    inputs: dict[str, list[int]]
    n_new_pieces: int

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])


@dataclass(frozen=True)
class Reading:
    """All windows of one text, and the share of its pieces that they hold (`coverage`, 0 to 1)."""

    windows: tuple[Window, ...]
    n_pieces: int
    coverage: float


def model_max_tokens(config: Any, tokenizer: Any) -> int:
    """The most tokens, special ones included, that a checkpoint reads at once."""
    limits = []
    if 0 < (tokenizer.model_max_length or 0) < 1_000_000:
        limits.append(tokenizer.model_max_length)
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if isinstance(positions, int) and positions > 0:
        offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0
        limits.append(positions - offset)
    return min(limits, default=512)


def window_size(config: Any, tokenizer: Any, max_tokens: int | None) -> int:
    """`max_tokens` if given and possible, else the model's own limit. Raises ModelError if it cannot be."""
    limit = model_max_tokens(config, tokenizer)
    least = tokenizer.num_special_tokens_to_add() + 1
    if max_tokens is not None and not least <= max_tokens <= limit:
        raise ModelError(f"max_tokens = {max_tokens}, but this model reads {least} to {limit} tokens at once")
    return max_tokens or limit


def read_texts(
    tokenizer: Any, texts: Sequence[str], *, max_tokens: int, stride_tokens: int, long_text: LongText
) -> list[Reading]:
    """Cut each text into windows of at most `max_tokens` tokens, special tokens included.

    stride_tokens: tokens that neighbouring windows share; cut down where windows are small.
    long_text: for a text longer than one window: "window" reads all of it, "truncate" the first window alone,
        "error" raises RecordError.
    A text with no pieces (empty, or only white space) has no windows and coverage 1.0.
    """
    if not texts:
        return []
    room = max_tokens - tokenizer.num_special_tokens_to_add()
    stride = max(0, min(stride_tokens, room // 2))
    with TOKENIZER_LOCK:
        encoded = tokenizer(
            list(texts),
            truncation=True,
            max_length=max_tokens,
            stride=stride,
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
            return_attention_mask=False,
        )
    owners = encoded.pop("overflow_to_sample_mapping")
    masks = encoded.pop("special_tokens_mask")
    rows: list[list[int]] = [[] for _ in texts]
    for row, owner in enumerate(owners):
        rows[owner].append(row)
    return [_reading(encoded, masks, of_text, stride, max_tokens, long_text) for of_text in rows]


def _reading(
    encoded: Any, masks: list[list[int]], rows: list[int], stride: int, max_tokens: int, long_text: LongText
) -> Reading:
    n_body = [len(masks[row]) - sum(masks[row]) for row in rows]
    n_new = [n_body[0], *(max(n - stride, 0) for n in n_body[1:])]
    n_pieces = sum(n_new)
    if n_pieces == 0:
        return Reading((), 0, 1.0)
    if len(rows) > 1 and long_text == "error":
        raise RecordError(
            f"the text has {n_pieces} tokens, more than the model's {max_tokens} at once",
            next_step='set long_text = "window" or "truncate", or split the record',
        )
    kept = rows[:1] if long_text == "truncate" else rows
    windows = tuple(
        Window({name: encoded[name][row] for name in encoded}, new)
        for row, new in zip(kept, n_new, strict=False)
        if new
    )
    return Reading(windows, n_pieces, sum(window.n_new_pieces for window in windows) / n_pieces)


def collate(windows: Sequence[Window], length: int, tokenizer: Any, device: torch.device) -> dict[str, torch.Tensor]:
    """Pad windows on the right to `length` and stack them: tensors of shape (n_windows, length)."""
    inputs: dict[str, torch.Tensor] = {}
    for name in windows[0].inputs:
        filler = tokenizer.pad_token_id or 0 if name == "input_ids" else 0
        rows = np.full((len(windows), length), filler, dtype=np.int64)
        for row, window in enumerate(windows):
            rows[row, : len(window)] = window.inputs[name]
        inputs[name] = torch.from_numpy(rows).to(device)
    mask = np.arange(length) < np.array([[len(window)] for window in windows])
    inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(device)
    return inputs
