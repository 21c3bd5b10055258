"""Where models run: what can be asked for, what is chosen, and what is said."""

from __future__ import annotations

import pytest
import torch

import mmpipe.runtime.device as devices
from mmpipe.errors import ModelError
from mmpipe.runtime.device import place


@pytest.fixture
def machine(monkeypatch):
    """`machine(n_gpus, has_bf16)`: a machine as torch would describe it."""

    def describe(n_gpus: int = 0, has_bf16: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(devices, "multiplies_bf16", lambda device: has_bf16)
        monkeypatch.setattr(devices, "has_bf16", lambda device: has_bf16)

    return describe


@pytest.mark.parametrize("name", ["gpu", "cuda", "cuda:0", "mps", "meta", "", "cuda:x", "xpu"])
def test_device_that_is_not_here(machine, name):
    machine(n_gpus=0)
    with pytest.raises(ModelError, match=f"no device '{name}' here") as caught:
        place(name)
    assert caught.value.next_step == "available: auto, cpu"


def test_gpu_that_is_one_too_many(machine):
    machine(n_gpus=2)
    assert str(place("cuda:1").device) == "cuda:1"
    with pytest.raises(ModelError, match="cuda:2") as caught:
        place("cuda:2")
    assert "cuda:0, cuda:1, cpu" in caught.value.next_step


@pytest.mark.parametrize(("n_gpus", "expected"), [(0, "cpu"), (2, "cuda:0")])
def test_auto(machine, n_gpus, expected):
    machine(n_gpus=n_gpus)
    assert str(place("auto").device) == expected
    assert n_gpus == 0 or place("cuda") == place("cuda:0"), "one device, one name, one module in the cache"


@pytest.mark.parametrize(
    ("has_bf16", "is_generative", "precision", "expected", "reason"),
    [
        (True, False, "auto", "bf16", "multiplies bf16 in hardware"),
        (False, False, "auto", "fp32", "has no bf16 arithmetic"),
        (True, True, "auto", "fp32", "generated text stays the same"),
        (False, False, "bf16", "bf16", "asked for"),
        (True, False, "fp32", "fp32", "asked for"),
        (True, True, "bf16", "bf16", "asked for"),
        (True, False, "fp16", "fp16", "asked for"),
    ],
)
def test_precision(machine, has_bf16, is_generative, precision, expected, reason):
    machine(has_bf16=has_bf16)
    placement = place("cpu", precision, is_generative=is_generative)
    assert (placement.precision, placement.dtype) == (expected, devices.DTYPES[expected])
    assert reason in placement.reason


def test_unknown_precision():
    with pytest.raises(ModelError, match="fp8") as caught:
        place("cpu", "fp8")
    assert "auto, fp32, bf16, fp16" in caught.value.next_step


def test_this_machine_multiplies_as_it_says():
    """Whatever the probe answers, it answers without an error, and bf16 works where it says yes."""
    if devices.multiplies_bf16(torch.device("cpu")):
        half = torch.ones(4, 4, dtype=torch.bfloat16)
        assert (half @ half).tolist() == [[4.0] * 4] * 4


@pytest.mark.parametrize(
    ("has_instructions", "has_amx", "is_intel", "expected"),
    [
        (False, False, False, "has no bf16 arithmetic"),
        (True, False, False, "multiplies bf16 in hardware"),
        (True, True, True, "multiplies bf16 in hardware"),
        (True, False, True, "multiplies fp32 sooner than bf16"),
    ],
)
def test_bf16_is_taken_where_it_is_sooner(monkeypatch, has_instructions, has_amx, is_intel, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx, raising=False)
    monkeypatch.setattr(devices, "is_intel", lambda: is_intel)
    devices.multiplies_bf16.cache_clear()
    try:
        placement = place("cpu")
        assert expected in placement.reason and (placement.precision == "bf16") == ("bf16 in" in expected)
        if has_instructions:
            assert devices.place_elsewhere("openvino", precision="bf16").precision == "bf16", "it may be asked for"
    finally:
        devices.multiplies_bf16.cache_clear()
