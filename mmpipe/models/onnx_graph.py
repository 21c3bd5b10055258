"""A checkpoint as an ONNX graph: torch's own export, and whether a library that runs it computes the same function."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.exported import cannot
from mmpipe.models.padding import call, padding_id

OUTPUTS = {
    "AutoModelForSequenceClassification": ("logits",),
    "AutoModelForQuestionAnswering": ("start_logits", "end_logits"),
    "AutoModel": ("last_hidden_state",),
}
"""What is read of the models that can be exported, by their auto class."""
CLOSE = 1e-3
"""How far (of values of the size of logits) an exported model may be from torch's before it is refused."""
OPSET = 17


def export(backend: str, checkpoint: Checkpoint, file: Path) -> nn.Module:
    """Write the graph of a checkpoint in fp32, its attention written out; gives the module that it is of.

    Inputs are `input_ids`, `attention_mask` and, where the tokenizer makes them, `token_type_ids`; outputs are those
    of `OUTPUTS`. Rows and length are free. Raises ModelError for a checkpoint of another kind.
    """
    if checkpoint.auto_class not in OUTPUTS:
        raise cannot(backend, checkpoint, f"it runs encoders with a head, not {checkpoint.auto_class}")
    twin = type(checkpoint)(checkpoint.reference, checkpoint.auto_class)
    twin.files, twin.config = checkpoint.files, copy.deepcopy(checkpoint.config)
    twin.config._attn_implementation = "eager"
    module = twin.as_predicting(twin.load()).eval()
    _write(checkpoint, module, file)
    return module


def _write(checkpoint: Checkpoint, module: nn.Module, file: Path) -> None:
    inputs, outputs = _example(checkpoint, 2, 16), OUTPUTS[checkpoint.auto_class]
    axes = {name: {0: "windows", 1: "length"} for name in (*inputs, *outputs)}
    if checkpoint.auto_class.endswith("SequenceClassification"):
        axes |= {name: {0: "windows"} for name in outputs}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Tuples(module, tuple(inputs), outputs).eval(),
            tuple(inputs.values()),
            str(file),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


class _Tuples(nn.Module):
    """A module that takes and gives its tensors in an order, as the exporter wants it."""

    def __init__(self, module: nn.Module, takes: tuple[str, ...], gives: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.takes, self.gives = module, takes, gives

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output = call(self.module, dict(zip(self.takes, tensors, strict=True)))
        return tuple(getattr(output, name) for name in self.gives)


def check(backend: str, checkpoint: Checkpoint, module: nn.Module, session: Callable[..., Any]) -> None:
    """Raises ModelError where an exported model is not the same function, for lengths it was not traced with too.

    session: the exported model in fp32; called as the module, tensors by name, outputs as attributes.
    """
    for n_rows, length in ((1, 5), (3, 24)):
        inputs = _example(checkpoint, n_rows, length)
        with torch.inference_mode():
            wanted, got = call(module, inputs), session(**inputs)
        is_read = inputs["attention_mask"].bool()
        for name in OUTPUTS[checkpoint.auto_class]:
            first, second = getattr(wanted, name).float(), getattr(got, name)
            per_token = first.shape[:2] == is_read.shape
            difference = (first - second).abs()[is_read] if per_token else (first - second).abs()
            if not difference.numel() or not float(difference.max()) <= CLOSE * max(1.0, float(first.abs().max())):
                raise cannot(backend, checkpoint, f"exported, its {name} differ by {float(difference.max()):.2g}")


def _example(checkpoint: Checkpoint, n_rows: int, length: int) -> dict[str, torch.Tensor]:
    """Inputs as `collate` makes them: the last row half padding, where the model can be padded."""
    vocabulary = min(checkpoint.config.vocab_size, 1000)
    draw = np.random.default_rng(length)
    ids = torch.from_numpy(draw.integers(min(10, vocabulary - 1), vocabulary, (n_rows, length)))
    mask, filler = torch.ones_like(ids), padding_id(checkpoint.config)
    if n_rows > 1 and filler is not None:
        ids[-1, length // 2 :], mask[-1, length // 2 :] = filler, 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    if "token_type_ids" in checkpoint.tokenizer.model_input_names:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    return inputs
