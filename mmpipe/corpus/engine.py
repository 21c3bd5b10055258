"""What every engine is given: a job that any process can take up, and the shards to do."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from spacy.language import Language

from mmpipe.corpus.layout import Layout
from mmpipe.corpus.manifest import ShardEntry
from mmpipe.corpus.notices import Notices
from mmpipe.corpus.pending import Pending
from mmpipe.corpus.plan import Command, Options
from mmpipe.corpus.private import Privacy
from mmpipe.corpus.process import Processor
from mmpipe.corpus.quarantine import makers_of
from mmpipe.corpus.shard import Shard, ShardWorker
from mmpipe.corpus.silence import begin_silence
from mmpipe.errors import ConfigError, MmpipeError
from mmpipe.plugins import PluginRegistry, get_plugins
from mmpipe.specs import RunCounts, RunInfo

KILLS = 2
"""A record that was being worked on when so many processes died is quarantined."""
COLLECTION = 50_000
"""New objects, some hundreds of documents' worth, before the collector looks at them."""


@dataclass(frozen=True)
class Job:
    """A run as a process of its own takes it up; plain data, so that it can be sent anywhere.

    columns: of table formats, as Columns.as_dict gives them. config_sha256: of the pipeline in the parent, which that
    of the worker must equal. info: as hooks are told. n_workers: processes that share the machine, or are asked of a
    cluster. address: of the cluster; None leaves it to the engine.
    """

    command: Command
    options: Options
    layout: Layout
    columns: Mapping[str, Any] | None
    config_sha256: str
    info: RunInfo
    n_workers: int = 1
    address: str | None = None


class Engine(Protocol):
    """Does shards, in any order. The hook `mmpipe_engines` names such functions.

    nlp: the pipeline of this process. pending: read as it is iterated. Yields an entry for each shard, whose files
    are whole by then. Raises MmpipeError where no record is to blame.
    """

    def __call__(self, job: Job, nlp: Language, pending: Pending) -> Iterator[ShardEntry]: ...


def in_process(job: Job, nlp: Language, pending: Pending) -> Iterator[ShardEntry]:
    """One shard after another, in this process."""
    worker = make_worker(job, nlp, get_plugins(), Notices(get_plugins(), job.info))
    with rare_collections():
        for shard in pending:
            yield worker.work(shard)


def load_worker(
    job: Job, number: int, on_batch: Callable[[int, int], None], *, process: str | None = None
) -> ShardWorker:
    """The worker of another process: the pipeline is loaded there, on its share of the machine.

    number: of the process on its machine, from 0. on_batch: called before each batch with its place in the shard and
    its size. process: as hooks are told; None: `worker <number>`.
    Raises ConfigError where the pipeline is not the one the run began with.
    """
    from mmpipe.corpus.provenance import config_sha256
    from mmpipe.loading import load

    os.chdir(job.command.folder)
    plugins = get_plugins()
    device = _device(job, number)
    nlp = load(job.command.pipeline, job.command.overrides, device=device)
    # A device is part of the config, and may be this worker's own.
    if device is None and config_sha256(nlp) != job.config_sha256:
        raise ConfigError(
            "the pipeline has changed since the run began",
            where=job.command.pipeline,
            next_step="put it back and run the same command again, or begin anew with --restart",
        )
    notices = Notices(plugins, RunInfo(**{**asdict(job.info), "process": process or f"worker {number}"}))
    if Privacy.of(nlp).is_private:
        begin_silence()  # For as long as this process lives.
    notices.tell("mmpipe_run_started")
    return make_worker(job, nlp, plugins, notices, on_batch)


def make_worker(
    job: Job,
    nlp: Language,
    plugins: PluginRegistry,
    notices: Notices,
    on_batch: Callable[[int, int], None] = lambda start, n: None,
) -> ShardWorker:
    """The worker of a job around a loaded pipeline. Its hooks are told of batches and failures."""
    from mmpipe.corpus.formats import writer_of

    spec = writer_of(job.layout.ending, plugins)
    columns = None
    if job.columns is not None:
        from mmpipe.corpus.columns import Columns

        columns = Columns.from_dict(job.columns)
    counts = {"n_read": 0, "n_failed": 0}

    def done(n: int) -> None:
        counts["n_read"] += n
        notices.tell("mmpipe_batch_done", counts=RunCounts(n_written=counts["n_read"] - counts["n_failed"], **counts))

    def failed(line: dict[str, Any]) -> None:
        counts["n_failed"] += 1
        notices.tell("mmpipe_document_failed", failure=line)

    return ShardWorker(
        Processor(nlp, text_key=job.options.text_key, gives=spec.takes),
        job.layout,
        job.options,
        plugins.code("writers", spec.name),
        columns,
        makers_of(nlp, plugins),
        on_batch=on_batch,
        on_done=done,
        on_failure=failed,
    )


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Python's collector of cycles leaves alone what is there already, a pipeline with all it imported, and walks the
    rest less often: records and documents come in batches of thousands of objects, and hardly any cycle."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def redone(shard: Shard, batch: tuple[int, int] | None, kills: Counter[int], how: str) -> Shard:
    """A shard to be done again, for the process that worked on it died.

    batch: place and size of the batch that it began last; None where none had begun.
    kills: by the record's number in the run, how many processes died with it in hand; counted up here.
    how: the process died, in words such as "was ended by SIGKILL".
    The records in hand are taken one by one, and without those that were alone when the second process died.
    """
    if batch is None:
        return shard
    places = range(batch[0], batch[0] + batch[1])
    kills.update(shard.first + place for place in places)
    # In company, nobody knows who it was.
    dead = {p: f"the process that worked on it {how}" for p in places if kills[shard.first + p] >= KILLS}
    return replace(shard, alone=shard.alone | frozenset(places), dead=shard.dead | (dead if len(places) == 1 else {}))


def sendable(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return MmpipeError(f"{type(error).__name__}: {error}")
    return error


def share_threads(n_workers: int) -> int:
    """Torch threads for one of so many processes on this machine, at least 1."""
    return max(1, (os.cpu_count() or 1) // max(n_workers, 1))


def _device(job: Job, number: int) -> str | None:
    """One process a GPU, in turn, where there are several; otherwise what the user said."""
    if job.command.device not in (None, "auto"):
        return job.command.device
    import torch

    n_gpus = torch.cuda.device_count()
    return f"cuda:{number % n_gpus}" if n_gpus > 1 else job.command.device
