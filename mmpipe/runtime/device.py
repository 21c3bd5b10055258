"""Which device and which precision a model runs in, and why."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from mmpipe.errors import ModelError

Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Placement:
    """A resolved device and precision.

    device: a torch device such as `cpu` or `cuda:1`.
    precision: "fp32", "bf16" or "fp16"; "int8" where torch does not run it.
    reason: why that precision, in a few words for a person.
    """

    device: torch.device
    precision: str
    reason: str

    @property
    def dtype(self) -> torch.dtype:
        """Of the torch module; what is quantised elsewhere starts from fp32."""
        return DTYPES.get(self.precision, torch.float32)


def place(device: str = "auto", precision: Precision = "auto", *, is_generative: bool = False) -> Placement:
    """Resolve `auto`.

    device, precision, is_generative: as mmpipe.models.transformer.transformer_model has them.
    Raises ModelError for a device that this machine lacks, and for an unknown precision.
    """
    where = _device(device)
    if precision == "auto":
        if is_generative:
            return Placement(where, "fp32", "generated text stays the same in any batch")
        if multiplies_bf16(where):
            return Placement(where, "bf16", f"{where.type} multiplies bf16 in hardware")
        lack = "multiplies fp32 sooner than bf16" if has_bf16(where) else "has no bf16 arithmetic"
        return Placement(where, "fp32", f"{where.type} {lack}")
    if precision not in DTYPES:
        other = "ctranslate2" if is_generative else "openvino"
        next_step = f'set backend = "{other}"' if precision == "int8" else f"use one of auto, {', '.join(DTYPES)}"
        raise ModelError(f"torch has no precision {precision!r} here", next_step=next_step)
    return Placement(where, precision, "asked for")


PRECISIONS_ELSEWHERE = {"onnx": ("fp32", "int8"), "openvino": ("fp32", "bf16", "int8"), "ctranslate2": ("fp32", "int8")}
"""The precisions of the backends that are not torch."""


def place_elsewhere(backend: str, device: str = "auto", precision: Precision = "auto") -> Placement:
    """The same for a backend that is not torch, and runs on the processor; "int8" quantises weights. "auto" is bf16
    where the backend has it and the processor multiplies it, else fp32.

    Raises ModelError for another device, and for a precision that the backend or the processor lacks.
    """
    cpu, known = torch.device("cpu"), PRECISIONS_ELSEWHERE[backend]
    if device not in ("auto", "cpu"):
        raise ModelError(
            f"backend {backend} runs on the processor, not on {device!r}", next_step='set backend = "torch"'
        )
    if precision not in ("auto", *known):
        raise ModelError(
            f"backend {backend} has no precision {precision!r}", next_step=f"use one of auto, {', '.join(known)}"
        )
    if precision == "auto":
        return place("cpu") if "bf16" in known else Placement(cpu, "fp32", "exact")
    if precision == "bf16" and not has_bf16(cpu):
        raise ModelError(
            f"backend {backend} has no bf16 on this processor", next_step='set precision = "auto", or "fp32"'
        )
    return Placement(cpu, precision, "asked for")


@functools.lru_cache(maxsize=8)
def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 in hardware, and sooner than fp32.

    Intel's processors have the bf16 instructions of AVX-512 beside AMX, which is what is fast: where a virtual machine
    hides AMX, bf16 takes twice as long as fp32 (165 against 315 GFLOP/s on two cores of model 207). On AMD's, the same
    instructions take half as long.
    """
    if device.type != "cpu":
        return has_bf16(device)
    return _has("_is_amx_tile_supported") or (has_bf16(device) and not is_intel())


def has_bf16(device: torch.device) -> bool:
    """Whether the device has bf16 matrix instructions, not merely an emulation of them."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (_has("_is_avx512_bf16_supported") or _has("_is_amx_tile_supported"))


def _has(probe: str) -> bool:
    return getattr(torch.cpu, probe, lambda: False)()


@functools.lru_cache(maxsize=1)
def is_intel() -> bool:
    """Whether Intel made the processor."""
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return "GenuineIntel" in os.environ.get("PROCESSOR_IDENTIFIER", "")  # Of Windows.


def available_devices() -> list[str]:
    """The devices that `device =` can name here, the processor last."""
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def _device(name: str) -> torch.device:
    available = available_devices()
    if name == "auto":
        return torch.device(available[0])
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if (
        device is None
        or (device.type not in {other.split(":")[0] for other in available})
        or (device.index is not None and device.type == "cuda" and str(device) not in available)
    ):
        raise ModelError(f"no device {name!r} here", next_step=f"available: auto, {', '.join(available)}")
    return torch.device("cuda", torch.cuda.current_device()) if str(device) == "cuda" else device
