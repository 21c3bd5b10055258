"""Shards as blocks of Ray Data: one row each, in one column of pickled bytes."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from mmpipe.corpus.engine import Job, sendable
from mmpipe.corpus.pending import Pending
from mmpipe.corpus.silence import silence

COLUMN = "pickled"


def as_block(*values: Any) -> pa.Table:
    """A block of these values."""
    return pa.table({COLUMN: pa.array(map(pickle.dumps, values), pa.large_binary())})


def values_of(block: pa.Table) -> list[Any]:
    """The values of a block."""
    return [pickle.loads(data) for data in block[COLUMN].to_pylist()]


class ShardSource(Datasource):
    """Reads the shards that a run has yet to do, in one task of the cluster, no faster than they are taken.

    job, pending: as an engine is given them. A reader that fails ends the blocks with its error.
    """

    def __init__(self, job: Job, pending: Pending) -> None:
        super().__init__()
        self._job, self._pending = job, pending

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows before it is read."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[ReadTask]:
        """One task, for the records of a run stand in an order."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(self._read, unknown)]

    def _read(self) -> Iterator[pa.Table]:
        is_private = any(given.is_private for given in self._pending.inputs)
        try:
            os.chdir(self._job.command.folder)
            with silence() if is_private else contextlib.nullcontext():
                for shard in self._pending:
                    yield as_block(shard)
        except Exception as error:
            yield as_block(sendable(error))
