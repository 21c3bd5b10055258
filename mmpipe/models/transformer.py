"""Thinc models around a checkpoint: how they are made, and how what they hold is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

from thinc.api import Model

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.reference import Reference
from mmpipe.models.shim import Backend, Prepare, TransformerShim
from mmpipe.models.training import Training
from mmpipe.runtime.device import Precision

__all__ = [
    "Backend",
    "Precision",
    "TransformerShim",
    "has_shim",
    "is_on_disk",
    "no_backprop",
    "shim_of",
    "transformer_model",
]


def transformer_model(
    architecture: str,
    forward: Callable,
    *,
    auto_class: str,
    reference: Reference,
    device: str,
    precision: Precision,
    backend: Backend,
    is_generative: bool = False,
    training: Training | None = None,
    prepare: Prepare | None = None,
    width: int | None = None,
    init: Callable | None = None,
    **attrs: Any,
) -> Model:
    """A thinc model around a checkpoint. `forward` finds the shim with `shim_of`, its options in `attrs`.

    device: "auto" (the first GPU, else the processor) or a torch device.
    precision: "auto" (bf16 where the device multiplies it in hardware, else fp32), "fp32", "bf16" or "fp16"
        (values beyond 65,504 overflow; for GPUs that multiply no bf16); "int8" goes with other backends.
    backend: who multiplies; see Backend. is_generative: the model writes text, and "auto" stays in fp32, for one
        rounding can change every later word.
    training: see mmpipe.models.training.Training. prepare: called with shim and module when training starts, to add
        to the module what its class does not have.
    width, init: of a model that other thinc models build on: its dimension `nO`, and what `model.initialize` calls.
    """
    others = ("torch.compile", "openvino", "onnx")
    if is_generative:
        others = ("ctranslate2",) if auto_class == "AutoModelForSeq2SeqLM" else ()
    known = [name for name in get_args(Backend) if name.split()[0] in ("auto", "torch", *others)]
    if backend not in known:
        raise ModelError(f"no backend {backend!r} for {architecture}", next_step=f"use one of {', '.join(known)}")
    shim = TransformerShim(
        Checkpoint(reference, auto_class),
        device=device,
        precision=precision,
        is_generative=is_generative,
        backend=backend,
        training=training,
        prepare=prepare,
    )
    dims = {} if width is None else {"nO": width}
    return Model(architecture, forward, attrs=attrs, shims=[shim], dims=dims, init=init)


def shim_of(model: Model) -> TransformerShim:
    """The shim of a model made by `transformer_model`. Raises ModelError for any other model."""
    for shim in model.shims:
        if isinstance(shim, TransformerShim):
            return shim
    raise ModelError(f"{model.name!r} is not a mmpipe model", next_step="use an architecture named mmpipe.*")


def has_shim(model: Model) -> bool:
    """Whether the model is a checkpoint of its own, and not a thinc model."""
    return any(isinstance(shim, TransformerShim) for shim in model.shims)


def is_on_disk(model: Model) -> bool:
    """Whether the model's files are on this disk. Asks no network."""
    checkpoint = shim_of(model).checkpoint
    try:
        if "files" not in vars(checkpoint):
            checkpoint.files = dataclasses.replace(checkpoint.reference, offline=True).locate()
    except ModelError:
        return False
    return True


def no_backprop(d_outputs: Any) -> Any:
    raise ModelError(
        "the thinc model only predicts", next_step="train its component: `mmpipe train`, `nlp.update`, `spacy train`"
    )
