"""A checkpoint as ONNX Runtime runs it: exported and fused once, kept on disk under the hash of its weights.

The graph is torch's own export; attention, normalisation and activation are fused by ONNX Runtime's optimiser for
transformers. Int8 is dynamic: weights are quantised once, what flows through them batch by batch.
"""

from __future__ import annotations

import copy
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.exported import cannot, exported, require
from mmpipe.models.padding import call, padding_id
from mmpipe.runtime.cache import SharedCache

OUTPUTS = {
    "AutoModelForSequenceClassification": ("logits",),
    "AutoModelForQuestionAnswering": ("start_logits", "end_logits"),
    "AutoModel": ("last_hidden_state",),
}
"""What is read of the models that can be exported, by their auto class."""
CLOSE = 1e-3
"""How far (of values of the size of logits) an exported model may be from torch's before it is refused."""
LIBRARIES = ("onnx", "onnxruntime")
_OPSET = 17
_SESSIONS: SharedCache[OnnxModule] = SharedCache()


class OnnxModule(nn.Module):
    """An ONNX Runtime session that is called as the torch module it was exported from.

    n_threads: that work on one batch.
    """

    libraries = LIBRARIES

    def __init__(self, file: Path, n_threads: int) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._takes = [given.name for given in self.session.get_inputs()]
        self._gives = [given.name for given in self.session.get_outputs()]

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        """Tensors of shape (n_windows, length) by name; the outputs as attributes."""
        arrays = self.session.run(self._gives, {name: inputs[name].numpy() for name in self._takes})
        return SimpleNamespace(**dict(zip(self._gives, map(torch.from_numpy, arrays), strict=True)))


def onnx_module(checkpoint: Checkpoint, precision: str) -> OnnxModule:
    """The module of a checkpoint, exported now if it has not been with these versions.

    precision: "fp32" or "int8". Raises ModelError where a library is missing, and for a checkpoint that cannot be
    exported or gives other values then.
    """
    require("onnx", *LIBRARIES)
    if checkpoint.auto_class not in OUTPUTS:
        raise cannot("onnx", checkpoint, f"it runs encoders with a head, not {checkpoint.auto_class}")
    ending = f"-opset{_OPSET}-{precision}.onnx"
    file = exported("onnx", checkpoint, ending, lambda folder: _make(checkpoint, precision, folder), LIBRARIES)
    # A session does not live through a fork.
    return _SESSIONS.get((file, os.getpid()), lambda: OnnxModule(file, torch.get_num_threads()))


def _make(checkpoint: Checkpoint, precision: str, folder: Path) -> Path:
    plain, fused = folder / "plain.onnx", folder / "fused.onnx"
    module = _eager(checkpoint)
    _export(checkpoint, module, plain)
    _fuse(checkpoint, plain, fused)
    _check(checkpoint, module, fused)
    if precision == "fp32":
        return fused
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantised = folder / "quantised.onnx"
    quantize_dynamic(
        fused,
        quantised,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Attention"],
        extra_options={"DefaultTensorType": 1},  # Of what flows through fused nodes: float.
    )
    return quantised


def _eager(checkpoint: Checkpoint) -> nn.Module:
    """The module in fp32 with attention written out, the form in which the optimiser knows it."""
    twin = type(checkpoint)(checkpoint.reference, checkpoint.auto_class)
    twin.files, twin.config = checkpoint.files, copy.deepcopy(checkpoint.config)
    twin.config._attn_implementation = "eager"
    return twin.load().eval()


def _export(checkpoint: Checkpoint, module: nn.Module, file: Path) -> None:
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
            opset_version=_OPSET,
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


def _fuse(checkpoint: Checkpoint, plain: Path, fused: Path) -> None:
    from onnxruntime.transformers import optimizer

    optimized = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=getattr(checkpoint.config, "num_attention_heads", 0),
        hidden_size=getattr(checkpoint.config, "hidden_size", 0),
    )
    optimized.save_model_to_file(str(fused))


def _check(checkpoint: Checkpoint, module: nn.Module, file: Path) -> None:
    """Raises ModelError where the exported model is not the same function, for lengths it was not traced with too."""
    session = OnnxModule(file, torch.get_num_threads())
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
                raise cannot("onnx", checkpoint, f"exported, its {name} differ by {float(difference.max()):.2g}")


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
