"""Batches under a token budget, in which nothing depends on who else is in the batch.

Inputs of one batch share one padded length, a multiple of `LENGTH_STEP`, that follows from each input's own
length alone. The arithmetic for an input is then the same in any company, so that `nlp(x)`, `nlp.pipe(xs)` at
any batch size and any order give the same bits on a processor (see also mmpipe.models.steady); little is lost,
as the inputs of a window of documents are many and are sorted by length. Where padding is little work, lengths are
mixed: in layers that see tokens alone (see mmpipe.models.unpadded), and where text is written, a word at a time, of
which rounding changes only what is as likely as another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")

LENGTH_STEP = 8
"""Padded lengths are multiples of this many tokens; see length_step."""
BUDGETS = {"cpu": 2048, "cuda": 16384}
"""Tokens in a batch, padding among them where it is computed, that suit a type of device. On processors of two cores
2,048 was measured: larger batches fall out of the caches. That of a GPU is a guess that nobody has measured."""

MAX_PADDED = 2
"""The most padded tokens in a batch, in budgets, where padding is little work: it takes memory all the same."""


def budget_tokens(device_type: str) -> int:
    """The tokens of a batch on a device; of one that is not known, as on a processor."""
    return BUDGETS.get(device_type, BUDGETS["cpu"])


def padded_length(n_tokens: int, max_tokens: int | None = None, step: int = LENGTH_STEP) -> int:
    """The length that an input of `n_tokens` is padded to; never more than `max_tokens`, the model's own limit."""
    padded = -(-max(n_tokens, 1) // step) * step
    return padded if max_tokens is None or n_tokens > max_tokens else min(padded, max_tokens)


def length_step(n_tokens: int) -> int:
    """Of what the padded length of an input of `n_tokens` is a multiple where a batch shares it: LENGTH_STEP, and above
    128 tokens a sixteenth of the next power of 2, for few long inputs are equally long.
    """
    return max(LENGTH_STEP, (1 << (n_tokens - 1).bit_length()) // 16)


def plan_batches(lengths: Sequence[int], *, budget_tokens: int) -> list[list[int]]:
    """Indices of inputs, grouped by equal padded length, each group cut so that it fits the budget.

    lengths: padded lengths. budget_tokens: the most padded tokens in a batch; a single input may exceed it.
    """
    order = np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable")
    batches: list[list[int]] = []
    for index in order.tolist():
        length = lengths[index]
        batch = batches[-1] if batches else None
        if batch is None or lengths[batch[0]] != length or (len(batch) + 1) * length > budget_tokens:
            batches.append([index])
        else:
            batch.append(index)
    return batches


def plan_mixed(lengths: Sequence[int], padded: Sequence[int], *, budget_tokens: int) -> list[list[int]]:
    """The same where padding is little work: shortest first, lengths mixed, each batch with as many tokens as fit.

    lengths: without padding. padded: lengths as they are padded alone; all rows of a batch are as long as its longest,
        together MAX_PADDED budgets at most. budget_tokens: the most tokens in a batch; a single input may exceed it.
    """
    order = np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable")
    batches: list[list[int]] = []
    n_tokens = 0
    for index in order.tolist():
        n_tokens += lengths[index]
        n_padded = (len(batches[-1]) + 1) * padded[index] if batches else 0
        if batches and n_tokens <= budget_tokens and n_padded <= MAX_PADDED * budget_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            n_tokens = lengths[index]
    return batches


def map_batches(
    function: Callable[[list[Item], int], Sequence[Result]],
    items: Sequence[Item],
    lengths: Sequence[int],
    *,
    budget_tokens: int,
    max_tokens: int | None = None,
    is_padded: bool = True,
    is_mixed: bool = False,
) -> list[Result]:
    """Apply `function(batch, padded_length)` to all items batch by batch; results in the order of the items.

    is_padded: an input may be padded at all. is_mixed: padding is little work: lengths are mixed, and the budget counts
        tokens alone; see plan_mixed.
    """
    results: list[Result | None] = [None] * len(items)
    if is_padded and is_mixed:
        padded = [padded_length(length, max_tokens) for length in lengths]
        batches = plan_mixed(lengths, padded, budget_tokens=budget_tokens)
    else:
        padded = [padded_length(length, max_tokens, length_step(length) if is_padded else 1) for length in lengths]
        batches = plan_batches(padded, budget_tokens=budget_tokens)
    for batch in batches:
        for index, result in zip(batch, function([items[i] for i in batch], padded[batch[-1]]), strict=True):
            results[index] = result
    return results  # type: ignore[return-value]
