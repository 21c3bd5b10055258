"""The last layer of a classifier for its first tokens alone: the head reads one, and nothing else is ever looked at.

Outputs stay the same; of six layers this saves about a seventh of the work.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from mmpipe.models.encoder_layer import become, known_layers, run_layer

N_TOKENS = 8
"""Not one: matrix libraries take another path, which rounds otherwise, for few rows (see mmpipe.models.steady)."""

_IN_TUPLES = int(version("transformers").split(".")[0]) < 5
"""How layers give what they make."""


class FirstToken(nn.Module):
    """In place of a layer."""

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Any:
        found = run_layer(self, hidden_states[:, :N_TOKENS], hidden_states, partial(_attend, attention_mask))
        return (found,) if _IN_TUPLES else found


def _attend(mask: Tensor | None, query: Tensor, key: Tensor, value: Tensor, n_heads: int) -> Tensor:
    """Attention of the first tokens to all, in `n_heads`.

    mask: (n_rows, n_tokens), 0 at padding, or one that broadcasts to (n_rows, n_heads, n_tokens, n_tokens), as torch's
        own function takes it; of that, what concerns the first ones. query, key, value: (n_rows, n_tokens, width).
    """
    query, key, value = (part.unflatten(-1, (n_heads, -1)).transpose(1, 2) for part in (query, key, value))
    if mask is not None:
        mask = mask[:, None, None].bool() if mask.dim() == 2 else mask[:, :, : query.shape[2]]
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)


def for_first_token(module: nn.Module) -> nn.Module:
    """The same module; where its kind is known, its last layer gives the first tokens' vectors alone.

    Its weights keep their names. Of other kinds, and of those with relative positions, nothing changes.
    """
    layers = known_layers(module)
    if layers is not None:
        become(layers[-1], FirstToken, f"FirstTokenOf{type(layers[-1]).__name__}")
    return module
