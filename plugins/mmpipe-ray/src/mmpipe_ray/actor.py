"""What holds a pipeline on the cluster."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import ray

from mmpipe.corpus.engine import Job, load_worker, rare_collections, sendable
from mmpipe.corpus.manifest import ShardEntry
from mmpipe.corpus.shard import Shard
from mmpipe_ray.blocks import as_block, values_of
from mmpipe_ray.trail import Trail


class ShardActor:
    """An actor of Ray Data: the pipeline is loaded once, each row of a block is a shard to do.

    What goes wrong travels as a row, for an exception would cost the whole job.
    """

    def __init__(self, job: Job) -> None:
        self._worker: Any = None
        self._trail: Trail | None = None
        self._fault: Exception | None = None
        # Ray gives torch a share of the processors by a variable of this kind; tokenizers read their own.
        os.environ.setdefault("RAYON_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        actor = f"actor {ray.get_runtime_context().get_actor_id()}"
        try:
            self._worker = load_worker(job, 0, self._began, process=actor)
        except Exception as error:
            self._fault = sendable(error)

    def __call__(self, block: pa.Table) -> pa.Table:
        """The entry of each shard, or the error where no record is to blame."""
        with rare_collections():
            return as_block(*map(self._do, values_of(block)))

    def _do(self, shard: Shard | Exception) -> ShardEntry | Exception:
        if isinstance(shard, Exception) or self._fault is not None:
            return self._fault or shard  # type: ignore[return-value]
        self._trail = Trail(self._worker.layout.begun(shard.index))
        try:
            entry = self._worker.work(self._trail.follow(shard))
        except Exception as error:
            return sendable(error)
        self._trail.end()
        return entry

    def _began(self, start: int, n: int) -> None:
        if self._trail is not None:
            self._trail.note(start, n)
