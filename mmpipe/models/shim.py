"""A Hugging Face module and its tokenizer, found and loaded when first used, where thinc keeps what is not its own."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from thinc.api import Optimizer, Shim
from torch import nn

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.compiled import compiled_module
from mmpipe.models.packing import pack, unpack
from mmpipe.models.reference import Reference
from mmpipe.models.training import Trainer, Training
from mmpipe.runtime.batching import budget_tokens
from mmpipe.runtime.device import DTYPES, Placement, Precision, place, place_elsewhere

Backend = Literal[
    "auto",
    "torch",
    "torch.compile",
    "openvino",
    "openvino or torch",
    "onnx",
    "onnx or torch",
    "ctranslate2",
    "ctranslate2 or torch",
]
"""Who multiplies: "auto" is torch, "torch.compile" the same compiled, meant for GPUs. On a processor, "openvino" is
OpenVINO and "onnx" is ONNX Runtime, for what reads, and "ctranslate2" is CTranslate2, for what writes from text; with
"... or torch" it falls back, and says so."""
IN_TORCH = ("auto", "torch", "torch.compile")
ELSEWHERE = {
    "openvino": ("mmpipe.models.openvino_module", "openvino_module"),
    "onnx": ("mmpipe.models.onnx_module", "onnx_module"),
    "ctranslate2": ("mmpipe.models.ct2_module", "ct2_module"),
}
"""Where the module of a backend comes from: a function of a checkpoint and a precision."""
Prepare = Callable[["TransformerShim", nn.Module], None]
logger = logging.getLogger("mmpipe")


class TransformerShim(Shim):
    """Holds a checkpoint and where it runs.

    `module`, `tokenizer` and `config` load what they name at their first use; a thinc model can therefore be
    built from a config, and overwritten by `from_disk`, without the weights that the config names.

    Once training has started, `module` is a copy of its own in fp32: inside `training()` the one that learns,
    elsewhere the one that predicts and is saved. `dropout` is the rate of the next update.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str,
        precision: Precision,
        is_generative: bool,
        backend: Backend = "auto",
        training: Training | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        super().__init__(None)
        self.checkpoint, self.backend = checkpoint, backend
        self.device, self.precision, self.is_generative = device, precision, is_generative
        self.training_options: dict[str, Any] = training or {}
        self.prepare = prepare
        self.trainer: Trainer | None = None
        self.dropout = 0.0
        self._process = os.getpid()

    @cached_property
    def placement(self) -> Placement:
        """Raises ModelError for a device that is not here, or a precision that the backend lacks."""
        if self.backend in IN_TORCH:
            return place(self.device, self.precision, is_generative=self.is_generative)
        return place_elsewhere(self.backend.split()[0], self.device, self.precision)

    def budget(self, asked: int | None) -> int:
        """Padded tokens in a batch (tokens, where padding is no work): as asked, else what suits the device."""
        return budget_tokens(self.placement.device.type) if asked is None else asked

    @property
    def module(self) -> nn.Module:
        if self.trainer is not None:
            return self.trainer.module if self.trainer.is_active else self.trainer.shown
        if self._process != os.getpid():
            # A forked worker inherits pools whose threads do not exist: OpenMP's is not used with one thread, and a
            # session is made anew. The old one is kept, for to end it would be to wait for its threads.
            self._process = os.getpid()
            torch.set_num_threads(1)
            if not self.is_torch:
                self._left, self._model = self._model, None
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> nn.Module:
        if self.backend in IN_TORCH:
            module = self.checkpoint.module(self.placement)
            return compiled_module(module) if self.backend == "torch.compile" else module
        name, _, fallback = self.backend.partition(" or ")
        elsewhere = getattr(import_module(ELSEWHERE[name][0]), ELSEWHERE[name][1])
        try:
            return elsewhere(self.checkpoint, self.placement.precision)
        except ModelError as error:
            if not fallback or self.placement.precision not in DTYPES:
                raise
            logger.warning("%s; torch runs it", error.what)
            return self.checkpoint.module(self.placement)

    @property
    def is_torch(self) -> bool:
        """Whether what is loaded now is a torch module as it is."""
        return not hasattr(self._model, "libraries")

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
            "weights_sha256": files.fingerprint if self.trainer is None else fingerprint(self.trainer.shown),
            "device": str(self.placement.device),
            "precision": self.placement.precision if self.trainer is None else "fp32",
        }

    def point_to(self, reference: Reference) -> None:
        """Use another model of the same kind from now on."""
        self.checkpoint = type(self.checkpoint)(reference, self.checkpoint.auto_class)
        self._model = self.trainer = None

    def start_training(self) -> Trainer:
        """Load a copy of the weights to train, unless that has been done. A head that the checkpoint lacks is new.

        Raises ModelError where weights cannot be found, or the options do not fit them.
        """
        if self.trainer is None:
            device = self.placement.device
            module = self.checkpoint.trainee(device)
            if self.prepare is not None:
                self.prepare(self, module)
            name = f"model {self.checkpoint.reference.name!r}: training"
            self.trainer = Trainer(module, self.training_options, device, where=name)
            self._model = None
        return self.trainer

    @contextmanager
    def training(self) -> Iterator[nn.Module]:
        """The module that learns: gradients and dropout on, under autocast where bf16 was chosen.

        Losses are computed in here, on `module`'s outputs brought to fp32; `backward` may be called outside.
        """
        with self.start_training().active(self.dropout) as module:
            yield module

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights, as thinc asks every shim to. See Trainer.step."""
        if self.trainer is not None:
            self.trainer.step(optimizer)

    def to_disk(self, folder: Path) -> None:
        """Write the weights as a plain Hugging Face folder with safetensors."""
        if self.trainer is None:
            self.checkpoint.save(folder, self._model if self.is_torch else None)
        else:
            is_half = self.training_options.get("saved_precision") == "fp16"
            self.checkpoint.save(folder, self.trainer.shown, dtype=torch.float16 if is_half else torch.float32)

    def to_bytes(self) -> bytes:
        """The name of the model, for who keeps its files elsewhere; its files themselves once it has been trained."""
        if self.trainer is None:
            reference = self.checkpoint.reference
            return json.dumps({"name": reference.name, "revision": reference.revision}).encode()
        with tempfile.TemporaryDirectory() as folder:
            self.to_disk(Path(folder))
            return pack(Path(folder))

    def from_bytes(self, data: bytes) -> TransformerShim:
        """As `to_bytes` left it. Files lie in a temporary folder for as long as this shim lives."""
        is_offline = self.checkpoint.reference.offline
        if data.startswith(b"{"):
            self.point_to(Reference(**json.loads(data), offline=is_offline))
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="mmpipe-")
            unpack(data, Path(self._folder.name))
            self.point_to(Reference(self._folder.name, None, True))
        return self

    def to_device(self, device_type: str, device_id: int) -> None:
        """The device comes from the config; spaCy's own switch (for CuPy arrays) does not move the module."""


def fingerprint(module: nn.Module) -> str:
    """SHA-256 over the names and values of a module's weights as they are now."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
