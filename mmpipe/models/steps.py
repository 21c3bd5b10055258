"""The steps of a generation, one call of the model for each next token, for rows that may leave on the way."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmpipe.models.shared_reading import shares_reading

Options = dict[str, Any]
_OF_ROWS = ("attention_mask", "decoder_attention_mask", "encoder_attention_mask", "encoder_hidden_states")
"""What `generate` hands on whose first dimension is the rows."""
_OUTPUTS = "encoder_outputs"
_OF_ALL = ("use_cache", "cache_position", "output_attentions", "output_hidden_states", "return_dict", "logits_to_keep")
_CACHES = ("past_key_values", "cache")
"""How the lines of transformers name it."""


class Steps:
    """A module and what `generate` prepared for it.

    module: a transformers model that generates. options: what goes into each of its calls, caches among it.
    n_beams: rows of each input; at the beginning they are equal, and one of them is read for all.
    """

    def __init__(self, module: nn.Module, config: Any, options: Options, n_beams: int) -> None:
        self.module: Any = module
        self.config, self.n_beams = config, n_beams
        self._options = {name: value for name, value in options.items() if value is not None}
        self._line, self._is_shared = _line(type(module)), shares_reading(module)
        self._is_first = True

    @staticmethod
    def can_do(module: nn.Module, options: Options) -> bool:
        """Whether all that was prepared is known: how rows of it leave, and how this version of transformers steps."""
        given = {name: value for name, value in options.items() if value is not None}
        caches = [given.pop(name) for name in _CACHES if name in given]
        others = given.keys() - {*_OF_ROWS, _OUTPUTS, *_OF_ALL}
        return (
            not others
            and given.get("use_cache") is True
            and len(caches) == 1
            and _is_plain(caches[0])
            and _line(type(module)) is not None
        )

    def logits(self, ids: Tensor) -> Tensor:
        """Of the next token after each row: (n_rows, n_vocab), fp32, its own copy.

        ids: (n_rows, length), each row as it was at the last step, in the order of `go_on`, and one token more.
        """
        if self._is_first:
            self._is_first = False
            return self._first(ids)
        sizes = {"next_sequence_length": 1} if self._line == 5 else {}
        inputs = self.module.prepare_inputs_for_generation(ids, **sizes, **self._options)
        return self._called(self.module(**inputs, return_dict=True))

    def go_on(self, rows: Tensor, left: Tensor | None) -> None:
        """Which rows the next step goes on from.

        rows: (n_next,) among those of the last step, each of its own input.
        left: (n_inputs,) among the inputs of the last step, those of which there are rows; None: all.
        """
        own, read = self._caches()
        own.batch_select_indices(rows)
        if left is None:
            return
        # Beams of an input read the same: of what is read, rows only ever leave.
        kept = (left[:, None] * self.n_beams + left.new_tensor(range(self.n_beams))).flatten()
        if read is not None:
            read.batch_select_indices(left if self._is_shared else kept)
        self._select(kept)

    def _caches(self) -> tuple[Any, Any]:
        """What was written, and what was read: the latter None where it is the beginning of the former."""
        cache = next(self._options[name] for name in _CACHES if name in self._options)
        read = getattr(cache, "cross_attention_cache", None)
        return (cache, None) if read is None else (cache.self_attention_cache, read)

    def _first(self, ids: Tensor) -> Tensor:
        n = self.n_beams
        if n > 1:
            self._select(slice(None, None, n))
            ids = ids[::n]
        if self._line == 5:
            outputs = self.module._prefill(ids, self.config, self._options, is_first_iteration=True)
        else:
            self._options = self.module._get_initial_cache_position(ids.shape[1], ids.device, self._options)
            inputs = self.module.prepare_inputs_for_generation(ids, **self._options)
            outputs = self.module(**inputs, return_dict=True)
        logits = self._called(outputs)
        own, read = self._caches()
        # Unlike what the model leaves, or a choice of rows, this is contiguous: attention copies nothing at each step.
        if read is not None:
            read.batch_repeat_interleave(1 if self._is_shared else n)
        if n > 1:
            own.batch_repeat_interleave(n)
            rows = torch.arange(len(ids), device=ids.device).repeat_interleave(n)
            self._select(rows)
            logits = logits[rows]
        return logits

    def _select(self, rows: Tensor | slice) -> None:
        """Of all that each call of the model reads, these rows."""
        self._options |= {name: self._options[name][rows] for name in _OF_ROWS if name in self._options}
        if _OUTPUTS in self._options:
            found = self._options[_OUTPUTS]
            kept = {name: value[rows] for name, value in found.items() if isinstance(value, Tensor)}
            self._options[_OUTPUTS] = type(found)(**kept)

    def _called(self, outputs: Any) -> Tensor:
        is_pair = self.module.config.is_encoder_decoder
        self._options = self.module._update_model_kwargs_for_generation(
            outputs, self._options, is_encoder_decoder=is_pair
        )
        return outputs.logits[:, -1].float().clone()


def _line(kind: type) -> int | None:
    """How a version of transformers steps: as late 4.x or as 5.x do; None for one that nobody has looked at."""
    options = inspect.signature(kind.prepare_inputs_for_generation).parameters
    if hasattr(kind, "_prefill"):
        known = ["self", "input_ids", "generation_config", "model_kwargs", "is_first_iteration"]
        takes_length = "next_sequence_length" in options or any(p.kind is p.VAR_KEYWORD for p in options.values())
        return 5 if list(inspect.signature(kind._prefill).parameters) == known and takes_length else None
    first = getattr(kind, "_get_initial_cache_position", None)
    known = ["self", "seq_length", "device", "model_kwargs"]
    return 4 if first is not None and list(inspect.signature(first).parameters) == known else None


def _is_plain(cache: Any) -> bool:
    """Whether all of a cache grows token by token, and can give up rows."""
    from transformers import DynamicCache, EncoderDecoderCache

    if type(cache) is EncoderDecoderCache:
        return _is_plain(cache.self_attention_cache) and _is_plain(cache.cross_attention_cache)
    layers: Sequence[Any] = getattr(cache, "layers", ())
    return type(cache) is DynamicCache and all(type(layer).__name__ == "DynamicLayer" for layer in layers)
