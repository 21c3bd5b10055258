"""What must hold of every plan of batches."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.runtime.batching import (
    LENGTH_STEP,
    MAX_PADDED,
    length_step,
    map_batches,
    padded_length,
    plan_batches,
    plan_mixed,
)

lengths = st.lists(st.integers(1, 600), max_size=80)


@given(lengths=lengths, budget=st.integers(0, 5000))
def test_plan(lengths, budget):
    batches = plan_batches(lengths, budget_tokens=budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len({lengths[index] for index in batch}) == 1
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= budget
    for one, other in itertools.pairwise(batches):
        length = lengths[one[0]]
        assert length != lengths[other[0]] or (len(one) + 1) * length > budget, "a batch is as full as it may be"


@given(lengths=lengths, budget=st.integers(0, 5000))
def test_plan_where_padding_is_no_work(lengths, budget):
    padded = [padded_length(length) for length in lengths]
    batches = plan_mixed(lengths, padded, budget_tokens=budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert [lengths[index] for batch in batches for index in batch] == sorted(lengths)

    def fits(batch):
        n_tokens, n_padded = sum(lengths[i] for i in batch), len(batch) * max(padded[i] for i in batch)
        return n_tokens <= budget and n_padded <= MAX_PADDED * budget

    assert all(len(batch) == 1 or fits(batch) for batch in batches)
    for one, other in itertools.pairwise(batches):
        assert not fits([*one, other[0]]), "a batch is as full as it may be"


@given(n_tokens=st.integers(1, 600), limit=st.none() | st.integers(1, 600), step=st.sampled_from([1, LENGTH_STEP]))
def test_padded_length(n_tokens, limit, step):
    padded = padded_length(n_tokens, limit, step)
    assert n_tokens <= padded < n_tokens + step
    assert padded % step == 0 or padded == limit
    if limit is not None and n_tokens <= limit:
        assert padded <= limit


def test_long_inputs_share_few_padded_lengths():
    lengths = [padded_length(n, step=length_step(n)) for n in range(1, 1025)]
    assert all(padded - n < max(LENGTH_STEP, n / 8) for n, padded in enumerate(lengths, 1))
    assert len(set(lengths)) == 16 + 3 * 8


@given(lengths=lengths, budget=st.integers(1, 3000))
def test_results_come_in_the_order_of_the_items(lengths, budget):
    items = list(enumerate(lengths))
    seen = []

    def function(batch, length):
        assert all(size <= length for _, size in batch)
        seen.extend(batch)
        return [(item, length) for item in batch]

    results = map_batches(function, items, lengths, budget_tokens=budget)
    assert [item for item, _ in results] == items
    assert [length for _, length in results] == [padded_length(size, step=length_step(size)) for size in lengths]
    assert len(seen) == len(items)


@given(lengths=lengths, budget=st.integers(1, 3000))
def test_results_come_in_order_where_padding_is_no_work(lengths, budget):
    items = list(enumerate(lengths))

    def function(batch, length):
        assert length == padded_length(max(size for _, size in batch), 512)
        return batch

    assert map_batches(function, items, lengths, budget_tokens=budget, max_tokens=512, is_mixed=True) == items


def test_function_that_loses_a_result_is_caught():
    with pytest.raises(ValueError, match="shorter"):
        map_batches(lambda batch, length: batch[1:], [1, 2], [5, 5], budget_tokens=100)
