"""Heads: what a Hugging Face model has beside its backbone, and what of ours is put beside that."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SENTENCE_HEAD = "sentence_head"
"""The attribute under which a SentenceHead that learns stands in an encoder; it is saved in files of its own."""


def is_of_head(module: nn.Module, key: str | tuple, heads: Collection[str] = ()) -> bool:
    """Whether a parameter stands outside the backbone. A pooler counts as head: checkpoints often come without.

    key: its name, or a tuple that begins with it, as transformers reports sizes that do not fit.
    """
    key = key if isinstance(key, str) else str(key[0])
    outside = module.base_model is not module and not key.startswith(f"{module.base_model_prefix}.")
    return outside or "pooler" in key.split(".") or key.split(".")[0] in heads


def replace_heads(module: nn.Module, fresh: nn.Module) -> list[str]:
    """Take all parts beside the backbone from a fresh model of the same config; their names."""
    names = [name for name, _ in fresh.named_children() if name != module.base_model_prefix]
    for name in names:
        setattr(module, name, getattr(fresh, name))
    return names


def to_this_task(config: Any) -> str:
    """The next step where a checkpoint, of this Hugging Face config, lacks the head that is wanted."""
    return f"name a checkpoint trained for this task (its config.json says {config.architectures})"


def save_module(module: nn.Module, folder: Path, dtype: torch.dtype) -> None:
    """Write config and weights as Hugging Face does, and a sentence head, if there is one, in its own files."""
    converted: dict[tuple, Tensor] = {}
    state: dict[str, Tensor] = {}
    for name, tensor in module.state_dict().items():
        # Tied weights stay one, or they would be saved twice.
        key = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if key not in converted:
            converted[key] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        state[name] = converted[key]
    head = getattr(module, SENTENCE_HEAD, None)
    own = {name: tensor for name, tensor in state.items() if not name.startswith(f"{SENTENCE_HEAD}.")}
    module.save_pretrained(folder, state_dict=own, safe_serialization=True)  # type: ignore[operator]
    if head is not None:
        head.save(folder)
