"""The shards that a run has yet to do."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmpipe.corpus.hints import warn_without_text
from mmpipe.corpus.plan import Options
from mmpipe.corpus.quarantine import Line
from mmpipe.corpus.shard import Shard
from mmpipe.corpus.source import Input, Item


@dataclass(frozen=True)
class Pending:
    """Shards to do, in order, read from the inputs as they are asked for, and from the front by each who iterates.

    Where the inputs are files it can be pickled, and iterated in another process that sees the same files.
    done: numbers of shards to leave out. failed: where not None, only these shards, each with the lines of quarantine
    that are to be tried again.
    """

    inputs: Sequence[Input]
    options: Options
    done: Container[int] = frozenset()
    failed: Mapping[int, tuple[Line, ...]] | None = None

    def __iter__(self) -> Iterator[Shard]:
        if self.failed is not None:
            for shard in itertools.islice(shards(self.inputs, self.options), max(self.failed, default=-1) + 1):
                if shard.index in self.failed:
                    yield replace(shard, earlier=self.failed[shard.index])
            return
        for shard in shards(self.inputs, self.options):
            if not shard.index:
                warn_without_text([item for item, _ in shard.items], self.options.text_key)
            if shard.index not in self.done:
                yield shard


def shards(inputs: Sequence[Input], options: Options) -> Iterator[Shard]:
    """All shards of a run, in order, read as they are asked for."""
    items = placed(inputs)
    items = items if options.limit is None else itertools.islice(items, options.limit)
    first = 0
    for index in itertools.count():
        found = list(itertools.islice(items, options.shard_size))
        if not found:
            return
        yield Shard(index, first, [(item, root) for item, root, _ in found], found[-1][2])
        first += len(found)


def placed(inputs: Iterable[Input]) -> Iterator[tuple[Item, Path, int]]:
    """Each item with the folder that its media are relative to, and how far into all inputs it ends."""
    base = 0
    for given in inputs:
        for item in given:
            yield item, given.source.root, base + item.n_bytes
        base += given.source.size
