"""An encoder whose layers see tokens alone: rows of unequal length lie end to end, and padding costs nothing.

Embeddings before the layers and heads after them are as they were, padded. Outputs at tokens stay the same; at padding
they are zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmpipe.models.encoder_layer import become, known_layers, run_layer
from mmpipe.models.first_token import N_TOKENS, FirstToken
from mmpipe.models.steady import MIN_ROWS
from mmpipe.models.varlen import attend_varlen, varlen_kernel


@dataclass(frozen=True)
class Tokens:
    """The tokens of a padded batch, row after row.

    is_token: where they stand in the batch: (n_rows, length), bool.
    places: the same as places in its rows end to end: (n_tokens,).
    ends: where each row begins among the tokens, and the last ends: (n_rows + 1,), int32.
    max_tokens: no row has more.
    """

    is_token: Tensor
    places: Tensor
    ends: Tensor
    max_tokens: int

    @classmethod
    def of(cls, is_token: Tensor, max_tokens: int) -> Tokens:
        ends = nn.functional.pad(is_token.sum(1).cumsum(0), (1, 0)).int()
        return cls(is_token, is_token.flatten().nonzero().squeeze(1), ends, max_tokens)

    def beginning(self, n: int) -> Tokens:
        """Of the first `n` places of each row."""
        return self.of(self.is_token[:, :n], min(self.max_tokens, n))

    def pack(self, hidden: Tensor) -> Tensor:
        """From (n_rows, length, width) to (n_packed, width): the tokens, and what fills them up."""
        return hidden.flatten(0, 1)[_filled(self.places)]

    def of_beginning(self, packed: Tensor, n: int) -> Tensor:
        """Of what is packed, what `beginning(n)` would pack: (n_packed, width)."""
        return packed[_filled((self.places % self.is_token.shape[1] < n).nonzero().squeeze(1))]

    def unpack(self, packed: Tensor) -> Tensor:
        """From (n_packed, width) to (n_rows, length, width), with zeros where there is no token."""
        hidden = packed.new_zeros((self.is_token.numel(), packed.shape[-1]))
        hidden[self.places] = packed[: len(self.places)]
        return hidden.unflatten(0, self.is_token.shape)


def _filled(places: Tensor) -> Tensor:
    """On a processor as many of them as a multiple of MIN_ROWS, the first again and again: the last of an odd number of
    rows may be rounded otherwise; see mmpipe.models.steady.
    """
    return nn.functional.pad(places, (0, -len(places) % MIN_ROWS)) if places.device.type == "cpu" else places


class Unpadded(nn.Module):
    """In place of an encoder, its embeddings and pooler included. What is not plain prediction it does as before."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, *others: Any, **options: Any
    ) -> Any:
        if not others and input_ids is not None and attention_mask is not None and _is_prediction(self, options):
            is_token = attention_mask.bool()
            max_tokens = _longest(is_token)
            if max_tokens is not None:
                return _predict(self, Tokens.of(is_token, max_tokens), input_ids, options)
        return super().forward(input_ids, attention_mask, *others, **options)


def _is_prediction(encoder: Any, options: dict[str, Any]) -> bool:
    """Whether nothing is asked for but vectors in an object, and nothing given but tokens."""
    config = encoder.config
    if options.get("return_dict") is None:
        gives_object = getattr(config, "return_dict", True) and not getattr(config, "torchscript", False)
    else:
        gives_object = options["return_dict"]
    known = {"return_dict", "output_hidden_states"}
    if hasattr(encoder.embeddings, "token_type_embeddings"):
        known.add("token_type_ids")
    return (
        gives_object
        and known.issuperset(name for name, value in options.items() if value is not None and value is not False)
        and not getattr(config, "output_attentions", False)
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


def _predict(encoder: Any, tokens: Tokens, input_ids: Tensor, options: dict[str, Any]) -> Any:
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    types = {name: value for name, value in options.items() if name == "token_type_ids" and value is not None}
    embedded = encoder.embeddings(input_ids=input_ids, **types)
    if hasattr(encoder, "embeddings_project"):
        embedded = encoder.embeddings_project(embedded)
    wants_all = options.get("output_hidden_states")
    if wants_all is None:
        wants_all = getattr(encoder.config, "output_hidden_states", False)
    made = deque(_run_layers(known_layers(encoder), tokens, embedded), maxlen=None if wants_all else 1)
    states = [asking.unpack(hidden) for asking, hidden in made]
    pooler = getattr(encoder, "pooler", None)
    return BaseModelOutputWithPooling(
        last_hidden_state=states[-1],
        pooler_output=pooler(states[-1]) if pooler else None,
        hidden_states=(embedded, *states) if wants_all else None,
    )


def _run_layers(layers: Any, tokens: Tokens, embedded: Tensor) -> Iterator[tuple[Tokens, Tensor]]:
    """What each layer makes, packed, and of which tokens."""
    hidden = tokens.pack(embedded)
    for layer in layers:
        is_last = isinstance(layer, FirstToken)
        asking = tokens.beginning(N_TOKENS) if is_last else tokens
        asks = tokens.of_beginning(hidden, N_TOKENS) if is_last else hidden
        hidden = run_layer(layer, asks, hidden, partial(_attend, asking, tokens))
        yield asking, hidden


def _attend(asking: Tokens, tokens: Tokens, query: Tensor, key: Tensor, value: Tensor, n_heads: int) -> Tensor:
    query, key, value = (part.unflatten(-1, (n_heads, -1)) for part in (query, key, value))
    ends = (asking.ends, tokens.ends, asking.max_tokens, tokens.max_tokens)
    return attend_varlen(query, key, value, *ends).flatten(1)


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
