"""When torch's kernel for sequences of unequal length is used: asked of a GPU that is not there, and of one that is."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch

from mmpipe.models import varlen
from mmpipe.models.varlen import attend_by_length

CUDA = torch.device("cuda:0")


@pytest.mark.parametrize("n_rest", [0, 3])
def test_by_length_each_sequence_attends_to_its_own_keys(n_rest):
    asking, reading = (2, 2, 8, 1, 8, 8), (5, 5, 9, 1, 9, 30)
    ends = [torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32) for lengths in (asking, reading)]
    query, key, value = (torch.randn(n + n_rest, 4, 12) for n in (sum(asking), sum(reading), sum(reading)))
    found = attend_by_length(query, key, value, *ends, max(asking), max(reading))
    for (q0, q1), (k0, k1) in zip(*(itertools.pairwise(places.tolist()) for places in ends), strict=True):
        scores = torch.einsum("qhw,khw->hqk", query[q0:q1], key[k0:k1]) / 12**0.5
        wanted = torch.einsum("hqk,khw->qhw", scores.softmax(-1), value[k0:k1])
        torch.testing.assert_close(found[q0:q1], wanted, atol=1e-6, rtol=1e-5)
    assert not found[sum(asking) :].any()


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as far as can be asked without one: `gpu(capability=..., kernel=...)`."""
    attention = pytest.importorskip("torch.nn.attention.varlen")

    def pretend(capability=(8, 0), kernel=attend_by_length):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(attention, "varlen_attn", kernel)
        monkeypatch.setattr(torch.Tensor, "to", to_nowhere)
        varlen.varlen_kernel.cache_clear()

    place = torch.Tensor.to

    def to_nowhere(self, *places):
        left = [one for one in places if one != CUDA]
        return place(self, *left) if left else self

    yield pretend
    varlen.varlen_kernel.cache_clear()


def with_splits(refused, query, key, value, *ends, num_splits=None):
    if num_splits in refused:
        raise RuntimeError("num_splits is not for this device")
    return attend_by_length(query.float(), key.float(), value.float(), *ends).to(query.dtype)


def test_the_kernel_is_for_gpus_that_have_it_in_half_precision(gpu):
    gpu(kernel=partial(with_splits, ()))
    choose = varlen.varlen_kernel
    assert choose(CUDA, torch.bfloat16, 64).keywords == {"num_splits": 1}
    assert choose(CUDA, torch.float16, 32) is not None
    assert choose(CUDA, torch.float32, 64) is None
    assert choose(torch.device("cpu"), torch.float32, 12) is attend_by_length
    assert choose(torch.device("mps"), torch.bfloat16, 64) is None
    assert choose(CUDA, torch.bfloat16, 12) is None and choose(CUDA, torch.bfloat16, 512) is None
    gpu(capability=(7, 5), kernel=partial(with_splits, ()))
    assert choose(CUDA, torch.float16, 64) is None
    gpu(capability=(9, 0), kernel=partial(with_splits, ()))
    assert choose(CUDA, torch.float16, 64) is not None


def test_a_kernel_without_an_option_is_used_without(gpu):
    gpu(kernel=partial(with_splits, (1,)))
    assert varlen.varlen_kernel(CUDA, torch.bfloat16, 64).keywords == {}


def test_a_kernel_that_fails_or_errs_is_not_used(gpu):
    gpu(kernel=partial(with_splits, (1, None)))
    assert varlen.varlen_kernel(CUDA, torch.bfloat16, 64) is None
    gpu(kernel=lambda query, key, value, *ends, **options: query)
    assert varlen.varlen_kernel(CUDA, torch.bfloat16, 64) is None


def test_rocm_is_not_taken_for_cuda(gpu, monkeypatch):
    gpu(kernel=partial(with_splits, ()))
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert varlen.varlen_kernel(CUDA, torch.bfloat16, 64) is None


on_a_gpu = pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < varlen.MIN_CAPABILITY,
    reason="needs a CUDA GPU of capability 8.0",
)


@on_a_gpu
def test_on_a_gpu_attention_is_the_same_in_any_company():
    pytest.importorskip("torch.nn.attention.varlen")
    parts = [torch.randn(700, 4, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3)]
    for length in (600, 37):
        ends = torch.tensor([0, length, 700], device="cuda", dtype=torch.int32)
        together = varlen.attend_varlen(*parts, ends, ends, 700, 700)[:length]
        alone = varlen.attend_varlen(*(part[:length] for part in parts), ends[:2], ends[:2], length, length)
        assert torch.equal(alone, together)
