"""`mmpipe.batch_by_tokens.v1`: batches of texts of like length, because padding costs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

from pydantic import Field
from spacy.training import Example
from spacy.util import minibatch

Positive = Annotated[int, Field(ge=1)]


def batch_by_tokens(
    size: Positive = 2048, max_examples: Positive | None = None, buffer: Positive = 1024
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """A batcher for `[training.batcher]`.

    size: the most tokens in a batch, padding included: the longest text's tokens (spaCy's, not pieces) times the
        number of texts. A longer text is a batch of its own.
    max_examples: the most examples in a batch; None for no other limit than `size`.
    buffer: so many examples are sorted by length together; their batches then come in random order.
    """

    def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
        # One number from the global generator an epoch, drawn at once: resuming repeats it.
        shuffler = random.Random(random.getrandbits(32))
        for pool in minibatch(examples, size=buffer):
            found = list(_cut(sorted(pool, key=_length), size, max_examples))
            shuffler.shuffle(found)
            yield from found

    return batches


def _cut(examples: list[Example], size: int, max_examples: int | None) -> Iterator[list[Example]]:
    batch: list[Example] = []
    for example in examples:
        is_full = (len(batch) + 1) * _length(example) > size or len(batch) == max_examples
        if batch and is_full:
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch


def _length(example: Example) -> int:
    return max(len(example.predicted), 1)
