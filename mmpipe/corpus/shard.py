"""A shard: consecutive records of a run, processed and written as one, by whatever engine."""

from __future__ import annotations

import hashlib
import io
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmpipe.corpus.durable import Hashed, whole_file, write_whole
from mmpipe.corpus.formats import close_writer, open_writer
from mmpipe.corpus.layout import Layout
from mmpipe.corpus.manifest import ShardEntry
from mmpipe.corpus.packing import pack, packed
from mmpipe.corpus.plan import Options
from mmpipe.corpus.process import Failure, Processor
from mmpipe.corpus.quarantine import Line, Makers, as_json, line_of
from mmpipe.corpus.source import Item
from mmpipe.errors import MmpipeError, RecordError

_BLOCK_BYTES = 1 << 16
Placed = tuple[Item, Path]
"""An item, and the folder that its media are relative to."""


@dataclass(frozen=True)
class Shard:
    """Records to process together.

    index: its number. first: the number of its first record in the run. items: the records.
    n_input_bytes: how far into all inputs it ends. alone: numbers of records, counted in the shard, to take one by
    one, for one of them has ended a process. dead: of those that have ended two, how. earlier: where the shard was
    written before, its lines of quarantine, which are to be tried again.
    """

    index: int
    first: int
    items: list[Placed]
    n_input_bytes: int = 0
    alone: frozenset[int] = frozenset()
    dead: dict[int, str] = field(default_factory=dict)
    earlier: tuple[Line, ...] = ()


class ProcessDied(MmpipeError):
    """A record ended the process that worked on it, twice."""

    may_quote = False


class ShardWorker:
    """Processes shards and writes their files; the one definition of it, which every engine calls.

    make_writer: called with stream and columns, see WriterSpec. makers: see makers_of.
    on_batch: called before each batch with its place in the shard and its size; on_done: after it, with its size.
    on_failure: called with each line of quarantine.
    """

    def __init__(
        self,
        processor: Processor,
        layout: Layout,
        options: Options,
        make_writer: Callable[..., Any],
        columns: Any,
        makers: Makers,
        *,
        on_batch: Callable[[int, int], None] = lambda start, n: None,
        on_done: Callable[[int], None] = lambda n: None,
        on_failure: Callable[[Line], None] = lambda line: None,
    ) -> None:
        self.processor, self.layout, self.options = processor, layout, options
        self._make_writer, self._columns, self._makers = make_writer, columns, makers
        self._on_batch, self._on_done, self._on_failure = on_batch, on_done, on_failure
        _, self._packing = packed(layout.ending)

    def work(self, shard: Shard) -> ShardEntry:
        """Process a shard and write its files, each whole or not at all. Equal shards give equal bytes.

        Of a shard written before, the results stay as they are and what failed is tried again, where results are
        lines; in other formats all of it is done anew.
        Raises MmpipeError where no record is to blame.
        """
        with self.processor.privacy.errors():
            return self._work(shard)

    def _work(self, shard: Shard) -> ShardEntry:
        began, before, n_tokens = time.perf_counter(), dict(self.processor.seconds), self.processor.n_tokens
        lines: list[Line] = []
        n_written = n_skipped = 0
        attempts = {line["position"] - shard.first: line["attempt"] + 1 for line in shard.earlier}
        kept = self._kept(shard, attempts)
        with whole_file(self.layout.shard(shard.index)) as file:
            stream = Hashed(file)
            blocks = io.BufferedWriter(stream, _BLOCK_BYTES)
            with pack(cast(BinaryIO, blocks), self._packing) as inner:
                writer = open_writer(self._make_writer, inner, self._columns)
                for place, item, outcome in self._outcomes(shard, kept):
                    if place in kept:
                        inner.write(kept[place])
                        n_written += 1
                        continue
                    if outcome is None:
                        n_skipped += 1
                        continue
                    failure = outcome if isinstance(outcome, Failure) else written(writer, item, outcome)
                    if failure is None:
                        n_written += 1
                    else:
                        lines.append(self._line(failure, item, shard.first + place, attempts.get(place, 1)))
                        self._on_failure(lines[-1])
                close_writer(writer)
            blocks.flush()
        after = self.processor.seconds
        return ShardEntry(
            shard.index,
            shard.first,
            len(shard.items),
            n_written,
            len(lines),
            n_skipped,
            shard.n_input_bytes,
            stream.n_bytes,
            stream.sha256,
            write_quarantine(self.layout.shard_quarantine(shard.index), lines),
            self.processor.n_tokens - n_tokens,
            time.perf_counter() - began,
            {name: seconds - before.get(name, 0.0) for name, seconds in after.items()},
            [[list(kind), n] for kind, n in sorted(Counter(map(_kind, lines)).items(), key=str)],
        )

    def _line(self, failure: Failure, item: Item, position: int, attempt: int) -> Line:
        return line_of(failure, item, position, attempt, self._makers, self.processor.privacy)

    def _kept(self, shard: Shard, attempts: Container[int]) -> dict[int, bytes]:
        """The lines that were written of a shard before, by their place in it."""
        if not shard.earlier or self.layout.ending != ".jsonl":
            return {}
        places = [
            place
            for place, (item, _) in enumerate(shard.items)
            if place not in attempts and not self._is_left_out(item)
        ]
        with self.layout.shard(shard.index).open("rb") as stream:
            return dict(zip(places, stream, strict=True))

    def _outcomes(self, shard: Shard, kept: Container[int]) -> Iterator[tuple[int, Item, Any]]:
        """Place, item and outcome of each record, in order; None for one that is left out or kept."""
        for start, stop in self._cut(shard):
            places = [place for place in range(start, stop) if not self._is_left_out(shard.items[place][0])]
            alive = [place for place in places if place not in shard.dead and place not in kept]
            if alive:
                self._on_batch(start, stop - start)
            found = self.processor.process([shard.items[p][0] for p in alive], root=shard.items[start][1])
            outcomes: dict[int, Any] = dict(zip(alive, found, strict=True))
            for place in range(start, stop):
                item = shard.items[place][0]
                if place in shard.dead:
                    error = ProcessDied(
                        shard.dead[place],
                        where=item.origin,
                        next_step="look at the record; `mmpipe retry` tries again",
                    )
                    outcomes[place] = Failure(item.origin, None, error, item.record or item.raw)
                yield place, item, outcomes.get(place)
            self._on_done(stop - start)

    def _cut(self, shard: Shard) -> Iterator[tuple[int, int]]:
        """The batches: as many as batch_size, of one folder each; those to take alone, alone."""
        start = 0
        while start < len(shard.items):
            stop, root = start + 1, shard.items[start][1]
            while (
                start not in shard.alone
                and stop < len(shard.items)
                and stop - start < self.options.batch_size
                and stop not in shard.alone
                and (shard.items[stop][1] is root or shard.items[stop][1] == root)
            ):
                stop += 1
            yield start, stop
            start = stop

    def _is_left_out(self, item: Item) -> bool:
        if not self.options.skip_empty or item.record is None:
            return False
        text = item.record.get(self.options.text_key)
        return not (isinstance(text, str) and text.strip()) and not (
            item.record.get("image") or item.record.get("images")
        )


def _kind(line: Line) -> tuple[str | None, str]:
    return line["component"], line["error"]


def written(writer: Any, item: Item, result: Any) -> Failure | None:
    """Write a result; the failure where it is none that can be written."""
    try:
        writer.write(result)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        problem = RecordError(
            f"the result cannot be written: {error}", where=item.origin, next_step="results must be JSON data"
        )
        return Failure(item.origin, None, problem, item.record)
    return None


def write_quarantine(file: Path, lines: Sequence[Line]) -> str | None:
    """Write a shard's quarantine, or remove it where there is nothing in it; its SHA-256."""
    if not lines:
        file.unlink(missing_ok=True)
        return None
    data = b"".join(map(as_json, lines))
    write_whole(file, data)
    return hashlib.sha256(data).hexdigest()
