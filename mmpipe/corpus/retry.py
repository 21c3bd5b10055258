"""Trying the quarantine of a run again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, replace

from mmpipe.corpus.lock import locked
from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.notices import Notices
from mmpipe.corpus.pending import Pending
from mmpipe.corpus.plan import Plan
from mmpipe.corpus.quarantine import Line, gather, read_lines
from mmpipe.corpus.sharded import ShardedRun, counts_of
from mmpipe.corpus.verify import damaged
from mmpipe.errors import MmpipeError

_MUST_BE = ("inputs.", "options.", "pipeline.config")


def retry(run: ShardedRun, *, on_shard: Callable[[Manifest], None], is_forced: bool = False) -> tuple[int, int]:
    """Try what failed again; what succeeds takes its place in the order. How many were tried, how many succeeded.

    Plugins, libraries and weights may have changed, for that may be the cure, and it is put on record.
    Raises MmpipeError where there is no run, or inputs, options or settings are others than its own, unless forced.
    """
    with locked(run.layout):
        manifest = Manifest.read(run.layout)
        if manifest is None:
            raise MmpipeError("holds no run", where=str(run.layout.folder), next_step="name what `mmpipe run` wrote to")
        plan = Plan.of(run.nlp, run.command.pipeline, run.inputs, run.plugins, run.options, manifest.plan["inputs"])
        differences = plan.differences(manifest.plan)
        wrong = plan.differences(manifest.plan, among=_MUST_BE)
        if wrong and not is_forced:
            raise MmpipeError(
                "the run was another one:\n    " + "\n    ".join(wrong[:20]),
                where=str(run.layout.folder),
                next_step="put that back, or --force tries all the same and puts it on record",
            )
        if any(given.source.path is None for given in run.inputs):
            raise MmpipeError(
                "standard input cannot be read a second time",
                where=str(run.layout.folder),
                next_step="run anew from a file that holds it",
            )
        # What a kill left between files and manifest, or somebody changed, is done anew as a whole.
        failed = _failed(manifest) | dict.fromkeys(damaged(manifest), ())
        before = manifest.counts.n_quarantined
        manifest.note("retried", records=before, differences=differences)
        notices = Notices(run.plugins, run.info)
        notices.tell("mmpipe_run_started")
        try:
            with run.privacy.silence():
                for entry in run.engine(run.job(manifest), run.nlp, Pending(run.inputs, run.options, failed=failed)):
                    manifest.add(replace(entry, seconds=manifest.shards[entry.index].seconds + entry.seconds))
                    manifest.save()  # At once: its files are in place already.
                    notices.tell("mmpipe_shard_written", shard=asdict(entry))
                    on_shard(manifest)
        finally:
            run.layout.sweep()
            gather(run.layout, list(manifest.shards))
            manifest.save()
            notices.tell("mmpipe_run_ended", counts=counts_of(manifest))
        return before, before - manifest.counts.n_quarantined


def _failed(manifest: Manifest) -> dict[int, tuple[Line, ...]]:
    """The lines of quarantine of each shard that has some."""
    found: dict[int, list[Line]] = defaultdict(list)
    for index, entry in manifest.shards.items():
        if entry.n_quarantined:
            found[index] += read_lines(manifest.layout.shard_quarantine(index))
    return {index: tuple(lines) for index, lines in found.items()}
