"""Attention within each of many sequences of unequal length that lie end to end: by torch's kernel on GPUs, and on a
processor by its usual attention of those of equal length at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import groupby, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

MIN_CAPABILITY = (8, 0)
"""The CUDA capability from which FlashAttention runs."""
_DTYPES = (torch.bfloat16, torch.float16)
_MAX_WIDTH = 256


def attend_varlen(
    query: Tensor, key: Tensor, value: Tensor, cu_q: Tensor, cu_k: Tensor, max_q: int, max_k: int
) -> Tensor:
    """Attention of each sequence's queries to its own keys: (n_queries, n_heads, head_width).

    query: (n_queries, n_heads, head_width); key, value: (n_keys, n_heads, head_width); see `varlen_kernel` for where.
    cu_q, cu_k: where in them each sequence begins, and the last ends: (n_sequences + 1,), int32.
    max_q, max_k: no sequence has more of them.
    """
    kernel = varlen_kernel(query.device, query.dtype, query.shape[-1])
    if kernel is None:
        raise RuntimeError(f"no attention for unequal lengths in {query.dtype} on {query.device}")
    return kernel(query, key, value, cu_q, cu_k, max_q, max_k)


def attend_by_length(
    query: Tensor, key: Tensor, value: Tensor, cu_q: Tensor, cu_k: Tensor, max_q: int, max_k: int
) -> Tensor:
    """The same on any device, by a call of torch's usual attention for all neighbours of equal length; for queries
    beyond the last sequence zeros. It is what runs on a processor, and what GPUs' kernel is held against.
    """
    found, queries, keys = [], 0, 0
    for n, n_queries, n_keys in _equal_neighbours(cu_q.tolist(), cu_k.tolist()):
        asked, read = slice(queries, queries + n * n_queries), slice(keys, keys + n * n_keys)
        parts = (query[asked], key[read], value[read])
        rows = (part.unflatten(0, (n, -1)).transpose(1, 2) for part in parts)
        found.append(functional.scaled_dot_product_attention(*rows).transpose(1, 2).flatten(0, 1))
        queries, keys = asked.stop, read.stop
    if queries < len(query):
        found.append(torch.zeros_like(query[queries:]))
    return torch.cat(found) if len(found) > 1 else found[0]


def _equal_neighbours(cu_q: list[int], cu_k: list[int]) -> Iterator[tuple[int, int, int]]:
    """Of sequences that follow each other and have as many queries and keys: how many, and how many they have."""
    lengths = zip(*([end - start for start, end in pairwise(ends)] for ends in (cu_q, cu_k)), strict=True)
    for (n_queries, n_keys), equal in groupby(lengths):
        yield len(list(equal)), n_queries, n_keys


@lru_cache(maxsize=64)
def varlen_kernel(device: torch.device, dtype: torch.dtype, head_width: int) -> Callable[..., Tensor] | None:
    """The function for heads of this width; None where there is none, or where torch's does not give what it should."""
    if device.type == "cpu":
        return attend_by_length
    if device.type != "cuda" or dtype not in _DTYPES or head_width % 8 or head_width > _MAX_WIDTH:
        return None
    # ROCm's devices are named "cuda", too.
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < MIN_CAPABILITY:
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    # Keys in one piece: in pieces, their number, and so the last bits, would depend on the company. Older versions of
    # torch do not have the option.
    for options in ({"num_splits": 1}, {}):
        kernel = partial(varlen_attn, **options)
        if _gives_what_it_should(kernel, device, dtype, head_width):
            return kernel
    return None


def _gives_what_it_should(kernel: Callable[..., Tensor], device: torch.device, dtype: torch.dtype, width: int) -> bool:
    generator, n_heads = torch.Generator().manual_seed(0), 2
    cu_q, cu_k = (torch.tensor(ends, dtype=torch.int32) for ends in ([0, 1, 9, 17], [0, 1, 34, 164]))
    shapes = ((int(ends[-1]), n_heads, width) for ends in (cu_q, cu_k, cu_k))
    parts = [torch.randn(shape, generator=generator).to(dtype).float() for shape in shapes]
    wanted = attend_by_length(*parts, cu_q, cu_k, 8, 130)
    try:
        placed: list[Any] = [part.to(device, dtype) for part in parts]
        with torch.no_grad():
            found = kernel(*placed, cu_q.to(device), cu_k.to(device), 8, 130).float().cpu()
    except (RuntimeError, TypeError, ValueError):  # What kernels raise where an option or a device is not for them.
        return False
    return torch.allclose(found, wanted, atol=0.03, rtol=0.03)
