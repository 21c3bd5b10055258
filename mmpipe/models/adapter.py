"""LoRA adapters by peft: little is trained, and what is saved is a plain checkpoint with the adapter merged in."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from torch import nn
from typing_extensions import TypedDict

from mmpipe.errors import ModelError


class Adapter(TypedDict, total=False):
    """Low-rank adaptation (Hu et al. 2022, "LoRA"); every key may be left out.

    kind: "lora". rank: of each update, 8 by default. alpha: its scale times the rank, twice the rank by default.
    dropout: on the adapter's input, 0 to below 1, 0 by default.
    targets: ends of names of the linear layers to adapt (`query`, `value`); all linear layers of the encoder or
        decoder by default. Heads that are new are always trained in full; layers that share their weight with
        another, such as an output tied to the embeddings, cannot be adapted.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    kind: Literal["lora"]
    rank: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: list[str]


def add_adapter(module: nn.Module, adapter: Adapter, *, where: str) -> nn.Module:
    """Put an adapter into a Hugging Face module, in place; only adapter and heads learn from then on.

    Raises ModelError where peft is not installed, or no layer fits the targets.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ModelError(
            "adapters need the package peft", where=where, next_step="pip install 'mmpipe[peft]'"
        ) from None
    prefix = f"{module.base_model_prefix}."
    rank = adapter.get("rank", 8)
    # To merge an adapter into a weight that another layer shares (an output tied to the embeddings) would change both.
    owners = Counter(id(p) for part in module.modules() for p in part.parameters(recurse=False))
    linear = [n for n, part in module.named_modules() if isinstance(part, nn.Linear) and owners[id(part.weight)] == 1]
    wanted = adapter.get("targets")
    chosen = [
        name
        for name in linear
        if (name.startswith(prefix) or module.base_model is module)
        and ("pooler" not in name)
        and (wanted is None or any(name == end or name.endswith(f".{end}") for end in wanted))
    ]
    if not chosen:
        ends = sorted({name.rpartition(".")[2] for name in linear})
        raise ModelError(
            f"targets = {wanted} fit the name of no linear layer",
            where=where,
            next_step=f"names end in {', '.join(ends[:12])}",
        )
    heads = {name for name, p in module.named_parameters() if p.requires_grad and not name.startswith(prefix)}
    if module.base_model is module:
        heads = {name for name in heads if name.startswith("sentence_head.")}
    settings: dict[str, Any] = {"r": rank, "lora_alpha": adapter.get("alpha", 2 * rank)}
    settings["lora_dropout"] = adapter.get("dropout", 0.0)
    adapted = inject_adapter_in_model(LoraConfig(target_modules=chosen, **settings), module)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_("lora_" in name or name in heads)
    return adapted


def without_adapter(module: nn.Module) -> nn.Module:
    """The module, or a copy with any adapter merged into its weights."""
    if not _lora_layers(module):
        return module
    merged = copy.deepcopy(module)
    for name, layer in _lora_layers(merged):
        layer.merge()
        parent, _, child = name.rpartition(".")
        setattr(merged.get_submodule(parent), child, layer.get_base_layer())
    # transformers would save the adapter alone.
    vars(merged).pop("_hf_peft_config_loaded", None)
    vars(merged).pop("peft_config", None)
    return merged


def _lora_layers(module: nn.Module) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in module.named_modules() if hasattr(part, "lora_A") and hasattr(part, "merge")]
