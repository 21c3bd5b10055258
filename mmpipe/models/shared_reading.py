"""Attention of a decoder's beams to what they all read: once an input, not once a beam.

Beams of an input read the same keys and values, and a word's time goes into fetching them from memory. As queries of
one row they share them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mmpipe.models.encoder_layer import become

_FAMILIES = frozenset({"bart", "blenderbot", "blenderbot-small", "m2m_100", "marian", "mbart", "pegasus"})
"""Whose decoders' layers name it `encoder_attn`, and look at each query alone."""
_CACHES = ("past_key_value", "past_key_values", "cache")
"""How the lines of transformers name it, as an argument of a layer."""


class SharedReading(nn.Module):
    """In place of a decoder's attention to what is read. Where the cache has fewer rows than there are queries, so many
    neighbours share one.
    """

    layer_idx: int

    def forward(self, hidden_states: Tensor, key_value_states: Tensor | None = None, **options: Any) -> Any:
        n_rows = _n_read(next((options[name] for name in _CACHES if name in options), None), self.layer_idx)
        if n_rows is None or key_value_states is None or n_rows == len(hidden_states):
            return super().forward(hidden_states, key_value_states, **options)  # type: ignore[misc]
        n_beams = len(hidden_states) // n_rows
        if options.get("attention_mask") is not None:
            options["attention_mask"] = options["attention_mask"][::n_beams]
        asked = hidden_states.reshape(n_rows, -1, hidden_states.shape[-1])
        found, *others = super().forward(asked, key_value_states[::n_beams], **options)  # type: ignore[misc]
        return (found.reshape(hidden_states.shape), *others)


def _n_read(cache: Any, layer: int) -> int | None:
    """The rows of what is read that a cache holds for a layer; None before anything has been read."""
    read = getattr(cache, "cross_attention_cache", None)
    if read is None or not cache.is_updated.get(layer):
        return None
    return len(read.layers[layer].keys if hasattr(read, "layers") else read.key_cache[layer])


def share_reading(module: nn.Module) -> None:
    """Have the decoders in a module, where their family is known, read for all beams of an input at once."""
    for part in list(module.modules()):
        if hasattr(part, "encoder_attn") and _is_known(part.encoder_attn):
            become(part.encoder_attn, SharedReading, f"Shared{type(part.encoder_attn).__name__}")


def shares_reading(module: nn.Module) -> bool:
    """Whether a cache of what is read may have a row an input, and not one a beam."""
    return any(isinstance(part, SharedReading) for part in module.modules())


def _is_known(attention: Any) -> bool:
    return getattr(getattr(attention, "config", None), "model_type", None) in _FAMILIES
