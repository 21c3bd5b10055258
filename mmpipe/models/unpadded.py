"""An encoder whose layers see tokens alone: rows of unequal length lie end to end, and padding costs nothing.

Embeddings before the layers and heads after them are as they were, padded. Outputs at tokens stay the same; at padding
they are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmpipe.models.encoder_layer import become, known_layers, run_layer
from mmpipe.models.first_token import N_TOKENS, FirstToken
from mmpipe.models.varlen import attend_varlen, varlen_kernel


@dataclass(frozen=True)
class Tokens:
    """The tokens of a padded batch, row after row.

    places: where each stands in the batch, its rows end to end: (n_tokens,).
    ends: where each row begins among the tokens, and the last ends: (n_rows + 1,), int32.
    max_tokens: no row has more. shape: of the batch, (n_rows, length).
    """

    places: Tensor
    ends: Tensor
    max_tokens: int
    shape: tuple[int, int]

    @classmethod
    def of(cls, is_token: Tensor, max_tokens: int) -> Tokens:
        """is_token: (n_rows, length), bool."""
        ends = nn.functional.pad(is_token.sum(1).cumsum(0), (1, 0)).int()
        return cls(is_token.flatten().nonzero().squeeze(1), ends, max_tokens, tuple(is_token.shape))

    def pack(self, hidden: Tensor) -> Tensor:
        """From (n_rows, length, width) to (n_tokens, width)."""
        return hidden.flatten(0, 1)[self.places]

    def unpack(self, packed: Tensor) -> Tensor:
        """From (n_tokens, width) to (n_rows, length, width), with zeros where there is no token."""
        hidden = packed.new_zeros((self.shape[0] * self.shape[1], packed.shape[-1]))
        hidden[self.places] = packed
        return hidden.unflatten(0, self.shape)


class Unpadded(nn.Module):
    """In place of an encoder, its embeddings and pooler included. What is not plain prediction it does as before."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *others: Any, **options: Any
    ) -> Any:
        if not others and input_ids is not None and attention_mask is not None and _is_prediction(self, options):
            is_token = attention_mask.bool()
            max_tokens = _longest(is_token)
            if max_tokens is not None:
                embedded = _embed(self, input_ids, options.get("token_type_ids"))
                return _output(self, _run_layers(self, embedded, is_token, max_tokens))
        return super().forward(input_ids, attention_mask, *others, **options)


def _is_prediction(encoder: Any, options: dict[str, Any]) -> bool:
    """Whether nothing is asked for but outputs as an object, and nothing given but tokens."""
    config = encoder.config
    if options.get("return_dict") is None:
        gives_object = getattr(config, "return_dict", True) and not getattr(config, "torchscript", False)
    else:
        gives_object = options["return_dict"]
    known = {"return_dict"} | ({"token_type_ids"} if hasattr(encoder.embeddings, "token_type_embeddings") else set())
    return (
        gives_object
        and known.issuperset(name for name, value in options.items() if value is not None and value is not False)
        and not getattr(config, "output_attentions", False)
        and not getattr(config, "output_hidden_states", False)
        and not encoder.training
        and not torch.is_grad_enabled()
        # A compiler's graphs would break where the number of tokens is asked for.
        and not torch.compiler.is_compiling()
    )


def _longest(is_token: Tensor) -> int | None:
    """How many tokens the longest row has; None where heads would read padding, which is at the front of a row."""
    if is_token.dim() != 2 or not is_token.numel():
        return None
    longest, has_first = torch.stack((is_token.sum(1).max(), is_token[:, 0].all().long())).tolist()
    return longest if has_first else None


def _embed(encoder: Any, input_ids: Tensor, token_type_ids: Tensor | None) -> Tensor:
    types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
    embedded = encoder.embeddings(input_ids=input_ids, **types)
    return encoder.embeddings_project(embedded) if hasattr(encoder, "embeddings_project") else embedded


def _run_layers(encoder: Any, embedded: Tensor, is_token: Tensor, max_tokens: int) -> Tensor:
    layers: Any = known_layers(encoder)
    asking = tokens = Tokens.of(is_token, max_tokens)
    first = None
    if isinstance(layers[-1], FirstToken):
        asking = Tokens.of(is_token[:, :N_TOKENS], min(max_tokens, N_TOKENS))
        first = (tokens.places % tokens.shape[1] < N_TOKENS).nonzero().squeeze(1)
    hidden = tokens.pack(embedded)
    for layer in layers[:-1]:
        hidden = run_layer(layer, hidden, hidden, partial(_attend, tokens, tokens))
    hidden = run_layer(layers[-1], hidden if first is None else hidden[first], hidden, partial(_attend, asking, tokens))
    return asking.unpack(hidden)


def _attend(asking: Tokens, tokens: Tokens, query: Tensor, key: Tensor, value: Tensor, n_heads: int) -> Tensor:
    query, key, value = (part.unflatten(-1, (n_heads, -1)) for part in (query, key, value))
    ends = (asking.ends, tokens.ends, asking.max_tokens, tokens.max_tokens)
    return attend_varlen(query, key, value, *ends).flatten(1)


def _output(encoder: Any, hidden: Tensor) -> Any:
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    pooler = getattr(encoder, "pooler", None)
    return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=pooler(hidden) if pooler else None)


def without_padding(module: nn.Module) -> nn.Module:
    """The same module, whose encoder does without padding in prediction, where its kind is known and the device that it
    is on has a kernel for that in its precision; see mmpipe.models.varlen. Its weights keep their names.
    """
    layers, config = known_layers(module), module.config
    if (
        layers is not None
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "chunk_size_feed_forward", 0)
        and getattr(config, "_attn_implementation", None) in ("sdpa", "eager")
    ):
        weight = next(module.parameters())
        width = config.hidden_size // config.num_attention_heads
        if varlen_kernel(weight.device, weight.dtype, width) is not None:
            # By the name of its class transformers knows what a model can tell of itself.
            become(module.base_model, Unpadded, type(module.base_model).__name__)
    return module


def is_unpadded(module: nn.Module) -> bool:
    """Whether padding costs nothing in this module's predictions."""
    return isinstance(getattr(module, "base_model", None), Unpadded)
