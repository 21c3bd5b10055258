"""Layers of encoders with absolute positions, run with an attention of one's own: how each family names their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""Attention as a function of queries, keys, values, each (..., width) of all heads together, and how many heads."""

_LIKE_BERT = ("bert", "roberta", "xlm-roberta", "camembert", "electra")


def known_layers(module: nn.Module) -> nn.ModuleList | None:
    """The layers of a Hugging Face model's encoder; None of other kinds, and of those with relative positions."""
    config: Any = module.config
    if config.model_type in _LIKE_BERT:
        is_absolute = getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
        return module.base_model.encoder.layer if is_absolute else None
    return module.base_model.transformer.layer if config.model_type == "distilbert" else None


def run_layer(layer: Any, asking: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
    """What a layer makes of the tokens that ask, from all that may be read.

    asking: (..., n_asking, width), of which the result has the shape. hidden: (..., n_tokens, width).
    """
    if hasattr(layer, "sa_layer_norm"):
        own = layer.attention
        found = own.out_lin(attend(own.q_lin(asking), own.k_lin(hidden), own.v_lin(hidden), own.n_heads))
        found = layer.sa_layer_norm(found + asking)
        return layer.output_layer_norm(layer.ffn(found) + found)
    own = layer.attention.self
    found = attend(own.query(asking), own.key(hidden), own.value(hidden), own.num_attention_heads)
    found = layer.attention.output(found, asking)
    return layer.output(layer.intermediate(found), found)


def become(part: nn.Module, kind: type[nn.Module], name: str) -> None:
    """Have a part of a model, in place, do as `kind` does; its weights keep their names.

    name: of the class that it has then, which goes on to be of its own class, too.
    """
    own = type(part)
    part.__class__ = type(name, (kind, own), {"__module__": own.__module__})
