"""What an encoder makes of many rows, a few at a time, for a decoder that goes on with all of them together.

A decoder reads all its weights for each word, whatever the number of rows; an encoder's layers are soonest in what the
caches hold, and among rows of about one length it has less padding to read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmpipe.runtime.batching import padded_length, plan_mixed


def encoded(encoder: Any, input_ids: Tensor, attention_mask: Tensor, budget_tokens: int) -> Any:
    """A BaseModelOutput whose `last_hidden_state` is (n_rows, length, width), with zeros where no row was read.

    encoder: of a model whose padding nothing sees. input_ids, attention_mask: (n_rows, length), padded on the right.
    budget_tokens: the tokens that are read at once; a single row may exceed it.
    """
    from transformers.modeling_outputs import BaseModelOutput

    lengths, longest = attention_mask.sum(1).tolist(), input_ids.shape[1]
    padded = [padded_length(length, longest) for length in lengths]
    states: Tensor | None = None
    for group in plan_mixed(lengths, padded, budget_tokens=budget_tokens):
        rows, length = torch.tensor(group, device=input_ids.device), padded[group[-1]]
        asked = {"input_ids": input_ids[rows, :length], "attention_mask": attention_mask[rows, :length]}
        found = encoder(**asked, return_dict=True).last_hidden_state
        if states is None:
            states = found.new_zeros((len(lengths), longest, found.shape[-1]))
        states[rows, :length] = found
    return BaseModelOutput(last_hidden_state=states)
