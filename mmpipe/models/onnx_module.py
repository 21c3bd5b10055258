"""A checkpoint as ONNX Runtime runs it: exported and fused once, kept on disk under the hash of its weights.

The graph is torch's own export; attention, normalisation and activation are fused by ONNX Runtime's optimiser for
transformers. Int8 is dynamic: weights are quantised once, what flows through them batch by batch.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.exported import exported, require
from mmpipe.models.onnx_graph import OPSET, check, export
from mmpipe.runtime.cache import SharedCache

LIBRARIES = ("onnx", "onnxruntime")
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
    ending = f"-opset{OPSET}-{precision}.onnx"
    file = exported("onnx", checkpoint, ending, lambda folder: _make(checkpoint, precision, folder), LIBRARIES)
    # A session does not live through a fork.
    return _SESSIONS.get((file, os.getpid()), lambda: OnnxModule(file, torch.get_num_threads()))


def _make(checkpoint: Checkpoint, precision: str, folder: Path) -> Path:
    plain, fused = folder / "plain.onnx", folder / "fused.onnx"
    module = export("onnx", checkpoint, plain)
    _fuse(checkpoint, plain, fused)
    check("onnx", checkpoint, module, OnnxModule(fused, torch.get_num_threads()))
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


def _fuse(checkpoint: Checkpoint, plain: Path, fused: Path) -> None:
    from onnxruntime.transformers import optimizer

    optimized = optimizer.optimize_model(
        str(plain),
        model_type="bert",
        num_heads=getattr(checkpoint.config, "num_attention_heads", 0),
        hidden_size=getattr(checkpoint.config, "hidden_size", 0),
    )
    optimized.save_model_to_file(str(fused))
