"""The engine: a run's plan, handed to Ray Data."""

from __future__ import annotations

from collections.abc import Iterator

import ray
from spacy.language import Language

from mmpipe.corpus.engine import Job
from mmpipe.corpus.manifest import ShardEntry
from mmpipe.corpus.pending import Pending
from mmpipe.errors import MmpipeError
from mmpipe_ray.actor import ShardActor
from mmpipe_ray.blocks import ShardSource, values_of
from mmpipe_ray.cluster import connected, one_block_a_shard


def on_ray(job: Job, nlp: Language, pending: Pending) -> Iterator[ShardEntry]:
    """Shards by `job.n_workers` actors of Ray Data, each with the pipeline, and a GPU where the cluster has some.

    A shard whose actor or machine dies goes to another one; a record that is alone when a second actor dies is
    quarantined. Raises the error of an actor where no record is to blame, MmpipeError where the input cannot be
    read elsewhere.
    """
    if any(given.source.path is None for given in pending.inputs):
        raise MmpipeError(
            "standard input cannot be read by another machine", where="-", next_step="name files that all of them see"
        )
    with connected(job.address), one_block_a_shard():
        has_gpu = bool(ray.cluster_resources().get("GPU")) and (job.command.device or "auto").startswith(
            ("auto", "cuda")
        )
        # Reading takes no processor of its own, or there were none left for the actors of a small machine.
        shards = ray.data.read_datasource(ShardSource(job, pending), override_num_blocks=1, num_cpus=0)
        entries = shards.map_batches(
            ShardActor,
            fn_constructor_args=(job,),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=job.n_workers),
            num_cpus=1,
            num_gpus=1 if has_gpu else 0,
        )
        for batch in entries.iter_batches(batch_size=1, batch_format="pyarrow"):
            for outcome in values_of(batch):
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
