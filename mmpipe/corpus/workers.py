"""Shards in several spawned processes. One that dies costs no record: its shard is done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from spacy.language import Language

from mmpipe.corpus.engine import Job, load_worker, rare_collections, redone, sendable, share_threads
from mmpipe.corpus.manifest import ShardEntry
from mmpipe.corpus.pending import Pending
from mmpipe.corpus.shard import Shard
from mmpipe.errors import MmpipeError

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""The last is that of tokenizers."""


def in_workers(job: Job, nlp: Language, pending: Pending) -> Iterator[ShardEntry]:
    """Shards by `job.n_workers` processes, spawned and not forked, each with its share of the threads or a GPU.

    Raises the error of a worker where no record is to blame, MmpipeError where a worker dies before it begins.
    """
    source, again = iter(pending), deque[Shard]()
    workers = [_Worker(job, number) for number in range(job.n_workers)]
    kills: Counter[int] = Counter()
    try:
        for worker in workers:
            worker.start()
        is_drained = False
        while True:
            for worker in workers:
                if worker.shard is None and worker.is_ready and not (is_drained and not again):
                    shard = again.popleft() if again else next(source, None)
                    if shard is None:
                        is_drained = True
                    else:
                        worker.give(shard)
            if is_drained and not again and all(worker.shard is None for worker in workers):
                return
            for worker in [w for w in workers if w.connection in wait([w.connection for w in workers if w.is_alive])]:
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError):
                    if (shard := worker.buried(kills)) is not None:
                        again.append(shard)
                    worker.start()
                    continue
                if isinstance(message, ShardEntry):
                    worker.shard = None
                    yield message
                elif isinstance(message, Exception):
                    raise message
                elif message == "ready":
                    worker.is_ready = True
                else:
                    worker.batch = message
    finally:
        for worker in workers:
            worker.stop()


@dataclass
class _Worker:
    """One process and what it has in hand. batch: place and size of the batch that it began last."""

    job: Job
    number: int
    shard: Shard | None = None
    batch: tuple[int, int] | None = None
    is_ready: bool = False
    process: Any = None
    connection: Connection = field(default=None)  # type: ignore[assignment]

    @property
    def is_alive(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        """Spawn the process; its threads are set before anything that reads them is imported."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.is_ready, self.batch = False, None
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, str(share_threads(self.job.n_workers))))
        try:
            self.process = context.Process(target=_serve, args=(self.job, self.number, theirs), daemon=True)
            self.process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        theirs.close()

    def give(self, shard: Shard) -> None:
        self.shard, self.batch = shard, None
        self.connection.send(shard)

    def buried(self, kills: Counter[int]) -> Shard | None:
        """The shard of a process that died, to be done again; see `redone`. None where it had none."""
        self.process.join()
        how = _how(self.process.exitcode)
        shard, batch, was_ready = self.shard, self.batch, self.is_ready
        self.shard, self.process = None, None
        if not was_ready:
            raise MmpipeError(
                f"a worker process {how} while it loaded the pipeline",
                where=f"worker {self.number}",
                next_step="run with fewer --workers, or without, to see why",
            )
        if shard is None:
            return None
        return redone(shard, batch, kills, how)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
        if self.connection is not None:
            self.connection.close()


def _serve(job: Job, number: int, connection: Connection) -> None:
    """What a worker process does until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        worker = load_worker(job, number, lambda start, n: connection.send((start, n)))
        connection.send("ready")
        with rare_collections():
            while True:
                connection.send(worker.work(connection.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        connection.send(sendable(error))


def _end_with_parent() -> None:
    """Where the parent is killed, its workers are not left to write on beside those of the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _how(exit_code: int | None) -> str:
    """The way a process ended, in words."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"was ended by {name}" + (" (for want of memory?)" if name == "SIGKILL" else "")
    return f"ended with status {exit_code}"
