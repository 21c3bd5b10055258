"""A Hugging Face module inside a thinc model: found and loaded when first used, not when the config is read."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from thinc.api import Model, Shim
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.reference import Reference
from mmpipe.runtime.device import Placement, Precision, place

Backend = Literal["auto", "torch"]


class TransformerShim(Shim):
    """Holds a checkpoint and where it runs.

    `module`, `tokenizer` and `config` load what they name at their first use; a thinc model can therefore be
    built from a config, and overwritten by `from_disk`, without the weights that the config names.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str, precision: Precision, is_generative: bool) -> None:
        super().__init__(None)
        self.checkpoint = checkpoint
        self.device, self.precision, self.is_generative = device, precision, is_generative
        self._process = os.getpid()

    @cached_property
    def placement(self) -> Placement:
        """Raises ModelError for a device that is not here."""
        return place(self.device, self.precision, is_generative=self.is_generative)

    @property
    def module(self) -> nn.Module:
        if self._model is None:
            self._model = self.checkpoint.module(self.placement)
        if self._process != os.getpid():
            # A forked worker inherits an OpenMP pool whose threads do not exist; with one thread it is not used.
            self._process = os.getpid()
            torch.set_num_threads(1)
        return self._model

    @property
    def tokenizer(self) -> Any:
        return self.checkpoint.tokenizer

    @property
    def config(self) -> Any:
        return self.checkpoint.config

    @property
    def provenance(self) -> dict[str, Any]:
        """What a result was made with: model, revision, SHA-256 over the weights, device, precision."""
        reference, files = self.checkpoint.reference, self.checkpoint.files
        return {
            "model": reference.name,
            "revision": files.commit or reference.revision,
            "weights_sha256": files.fingerprint,
            "device": str(self.placement.device),
            "precision": self.placement.precision,
        }

    def point_to(self, reference: Reference) -> None:
        """Use another model of the same kind from now on."""
        self.checkpoint = type(self.checkpoint)(reference, self.checkpoint.auto_class)
        self._model = None

    def to_disk(self, folder: Path) -> None:
        """Write the weights as a plain Hugging Face folder with safetensors."""
        self.checkpoint.save(folder, self._model)

    def to_bytes(self) -> bytes:
        reference = self.checkpoint.reference
        return json.dumps({"name": reference.name, "revision": reference.revision}).encode()

    def from_bytes(self, data: bytes) -> TransformerShim:
        self.point_to(Reference(**json.loads(data), offline=self.checkpoint.reference.offline))
        return self

    def to_device(self, device_type: str, device_id: int) -> None:
        """The device comes from the config; spaCy's own switch (for CuPy arrays) does not move the module."""


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
    **attrs: Any,
) -> Model:
    """A thinc model around a checkpoint. `forward` finds the shim with `shim_of`, its options in `attrs`."""
    if backend not in ("auto", "torch"):
        raise ModelError(f"unknown backend {backend!r}", next_step="use auto or torch")
    shim = TransformerShim(
        Checkpoint(reference, auto_class), device=device, precision=precision, is_generative=is_generative
    )
    return Model(architecture, forward, attrs=attrs, shims=[shim])


def shim_of(model: Model) -> TransformerShim:
    """The shim of a model made by `transformer_model`. Raises ModelError for any other model."""
    for shim in model.shims:
        if isinstance(shim, TransformerShim):
            return shim
    raise ModelError(f"{model.name!r} is not a mmpipe model", next_step="use an architecture named mmpipe.*")


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
    raise ModelError("this model only predicts", next_step="train the checkpoint with Hugging Face, then name it here")
