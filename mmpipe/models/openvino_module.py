"""A checkpoint as OpenVINO runs it: exported once, kept on disk under the hash of its weights.

Int8 keeps 8 bits a weight, each matrix scaled column by column; OpenVINO quantises what meets them as it comes, each
token by itself in groups of `GROUP` values, so that a large value spoils only its own group. The rest is in bf16 where
the processor multiplies it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.exported import cannot, exported, require
from mmpipe.models.onnx_graph import OPSET, check, export
from mmpipe.runtime.cache import SharedCache
from mmpipe.runtime.device import multiplies_bf16

LIBRARIES = ("openvino",)
GROUP = 128
"""How many values of a token share a scale in int8."""
MIN_OUTPUTS = 16
"""Matrices with fewer outputs, such as those of labels, stay as they are: they cost nothing."""
_MODELS: SharedCache[OpenVinoModule] = SharedCache()
_process: int | None = None
"""Where OpenVINO runs, once it does."""


class OpenVinoModule(nn.Module):
    """A compiled model that is called as the torch module it was exported from. Threads may share it.

    file: an ONNX graph, or a model as `openvino.save_model` wrote it. n_threads: that work on one batch.
    """

    libraries = LIBRARIES

    def __init__(self, file: Path, precision: str, n_threads: int) -> None:
        super().__init__()
        import openvino

        is_bf16 = precision == "bf16" or (precision == "int8" and multiplies_bf16(torch.device("cpu")))
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": n_threads,
            "ENABLE_CPU_PINNING": False,  # Workers would all be pinned to the same cores.
            "INFERENCE_PRECISION_HINT": "bf16" if is_bf16 else "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP if precision == "int8" else 0,
        }
        core = openvino.Core()
        self.compiled = core.compile_model(core.read_model(file), "CPU", settings)
        self._takes = [given.any_name for given in self.compiled.inputs]
        self._gives = [given.any_name for given in self.compiled.outputs]
        self._own = threading.local()

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        """Tensors of shape (n_windows, length) by name; the outputs as attributes, in fp32."""
        if not hasattr(self._own, "request"):
            self._own.request = self.compiled.create_infer_request()
        found = self._own.request.infer({name: inputs[name].numpy() for name in self._takes}, share_inputs=True)
        return SimpleNamespace(**{name: torch.from_numpy(found[name]) for name in self._gives})


def openvino_module(checkpoint: Checkpoint, precision: str) -> OpenVinoModule:
    """The module of a checkpoint, exported now if it has not been with these versions.

    precision: "fp32", "bf16" or "int8". Raises ModelError where a library is missing, and for a checkpoint that cannot
    be exported or gives other values then. Raises it in a process that was forked from one where OpenVINO ran, whose
    threads it would wait for.
    """
    global _process
    require("openvino", *LIBRARIES)
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise cannot("openvino", checkpoint, "it does not live through a fork; `mmpipe run --workers` makes none")
    kind = "int8" if precision == "int8" else "float"
    made = exported(
        "openvino", checkpoint, f"-opset{OPSET}-{kind}", lambda folder: _make(checkpoint, kind, folder), LIBRARIES
    )
    n_threads = torch.get_num_threads()
    return _MODELS.get((made, precision), lambda: OpenVinoModule(made / "model.xml", precision, n_threads))


def _make(checkpoint: Checkpoint, kind: str, folder: Path) -> Path:
    import openvino

    plain, made = folder / "plain.onnx", folder / "made"
    module = export("openvino", checkpoint, plain)
    check("openvino", checkpoint, module, OpenVinoModule(plain, "fp32", torch.get_num_threads()))
    model = openvino.Core().read_model(plain)
    if kind == "int8":
        quantise(model)
    made.mkdir()
    openvino.save_model(model, made / "model.xml", compress_to_fp16=False)
    return made


def quantise(model: Any) -> None:
    """Keep the weights of an `openvino.Model`'s matrix products in 8 bits, each output with a scale of its own."""
    from openvino import opset13 as ops

    for product in model.get_ops():
        if product.get_type_name() != "MatMul":
            continue
        weight = product.input_value(1).get_node()
        if weight.get_type_name() != "Constant" or len(weight.get_output_shape(0)) != 2:
            continue
        values, inner = weight.get_data(), 1 if product.get_attributes()["transpose_b"] else 0
        if values.size // values.shape[inner] < MIN_OUTPUTS:
            continue
        scale = np.maximum(np.abs(values).max(inner, keepdims=True), 1e-12) / np.float32(127)
        rounded = ops.constant(np.round(values / scale).astype(np.int8))
        back = ops.multiply(ops.convert(rounded, "f32"), ops.constant(scale.astype(np.float32)))
        product.input(1).replace_source_output(back.output(0))
