"""A run over a corpus that can be killed: shards, each whole or not there, and a manifest to go on from."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language

from mmpipe.config.results import fields_of, types_of
from mmpipe.corpus.engine import Engine, Job
from mmpipe.corpus.formats import ending_of, writer_of
from mmpipe.corpus.layout import Layout
from mmpipe.corpus.lock import locked
from mmpipe.corpus.manifest import FINISHED, RUNNING, STOPPED, Manifest
from mmpipe.corpus.notices import Notices
from mmpipe.corpus.pending import Pending, placed
from mmpipe.corpus.plan import Command, Options, Plan
from mmpipe.corpus.private import Privacy
from mmpipe.corpus.quarantine import gather
from mmpipe.corpus.source import Input
from mmpipe.corpus.verify import faults_of
from mmpipe.errors import MmpipeError, NoInputError
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import RunCounts, RunInfo

_SAMPLE = 1000
"""Records that the columns of a table are made from."""


@dataclass(frozen=True)
class Limit:
    """How many records may fail before a run stops: `n` of all, or `share`, 0 to 1, of those read."""

    n: int | None = None
    share: float | None = None

    @classmethod
    def of(cls, text: str) -> Limit:
        """From `100` or `2%`. Raises ValueError."""
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if not 0 <= share <= 1:
                raise ValueError(text)
            return cls(share=share)
        return cls(n=int(text))

    def is_over(self, n_failed: int, n_read: int) -> bool:
        if self.share is not None:
            return n_failed > self.share * max(n_read, _SAMPLE)
        return self.n is not None and n_failed > self.n


class ShardedRun:
    """A run into a folder. The same run in another process goes on where this one ends, however it ends.

    engine, n_workers, address: who does the shards, in how many processes, on which cluster.
    output: the file that the shards will be joined into; None where they stay in their folder.
    """

    def __init__(
        self,
        nlp: Language,
        command: Command,
        inputs: Sequence[Input],
        plugins: PluginRegistry,
        layout: Layout,
        options: Options,
        engine: Engine,
        *,
        n_workers: int = 1,
        address: str | None = None,
        max_errors: Limit | None = None,
        output: Path | None = None,
    ) -> None:
        self.nlp, self.command, self.plugins, self.privacy = nlp, command, plugins, Privacy.of(nlp)
        self.inputs = [replace(given, is_private=self.privacy.is_private) for given in inputs]
        self.layout, self.options, self.engine = layout, options, engine
        self.n_workers, self.address, self.max_errors = n_workers, address, max_errors or Limit()
        self._ending = ending_of(output.name, plugins) if output else layout.ending
        self.privacy.check_docs(writer_of(self._ending, plugins).takes == "docs")
        self.info = RunInfo(command.pipeline, command.inputs, str(output or layout.folder))

    def execute(
        self, *, is_forced: bool = False, is_restarted: bool = False, on_shard: Callable[[Manifest], None]
    ) -> Manifest:
        """Do what is not done yet, and account for all records.

        is_forced: go on although the plan is another one, and put that on record. is_restarted: begin anew.
        on_shard: called when a shard is whole, with the manifest.
        Raises MmpipeError, with every difference, where the folder holds another run; NoInputError where there are
        no records; whatever an engine raises where no record is to blame. What is finished stays.
        """
        with locked(self.layout):
            manifest = self._manifest(is_forced, is_restarted)
            if manifest.state == FINISHED:
                return manifest
            manifest.state = RUNNING
            manifest.save()
            notices = Notices(self.plugins, self.info)
            notices.tell("mmpipe_run_started")
            began, earlier = time.monotonic(), manifest.seconds
            try:
                with self.privacy.silence():
                    self._do(manifest, notices, on_shard, lambda: earlier + time.monotonic() - began)
                manifest.seconds = earlier + time.monotonic() - began
                self._close(manifest)
            finally:
                self.layout.sweep()  # What processes left behind that died on the way.
                manifest.seconds = earlier + time.monotonic() - began
                if manifest.state != FINISHED:
                    manifest.state = STOPPED
                    gather(self.layout, list(manifest.shards))
                manifest.save()
                notices.tell("mmpipe_run_ended", counts=counts_of(manifest))
        return manifest

    def job(self, manifest: Manifest) -> Job:
        """What the engine is given."""
        return Job(
            self.command,
            self.options,
            self.layout,
            manifest.columns,
            manifest.plan["pipeline"]["config_sha256"],
            self.info,
            self.n_workers,
            self.address,
        )

    def _do(
        self, manifest: Manifest, notices: Notices, on_shard: Callable[[Manifest], None], seconds: Callable[[], float]
    ) -> None:
        pending = Pending(self.inputs, self.options, done=frozenset(manifest.shards))
        with contextlib.closing(self.engine(self.job(manifest), self.nlp, pending)) as entries:  # type: ignore[type-var]
            for entry in entries:
                manifest.seconds = seconds()
                manifest.add(entry)
                notices.tell("mmpipe_shard_written", shard=asdict(entry))
                on_shard(manifest)
                counts = manifest.counts
                if self.max_errors.is_over(counts.n_quarantined, counts.n_read):
                    raise MmpipeError(
                        f"{counts.n_quarantined:,} of {counts.n_read:,} records failed, more than --max-errors allows",
                        where=str(self.layout.quarantine),
                        next_step="see there why; run the same command with another --max-errors to go on",
                    )

    def _close(self, manifest: Manifest) -> None:
        """Gather the quarantine and check the account against the files."""
        gather(self.layout, list(manifest.shards))
        if not manifest.counts.n_read:
            raise NoInputError(
                "no records", where=", ".join(self.command.inputs), next_step="name an INPUT that holds some"
            )
        manifest.state = FINISHED
        if faults := faults_of(manifest):
            manifest.state = STOPPED
            raise MmpipeError(
                "the files are not what was written: " + "; ".join(faults[:4]),
                where=str(self.layout.folder),
                next_step="see `mmpipe verify`; --restart begins anew",
            )

    def _manifest(self, is_forced: bool, is_restarted: bool) -> Manifest:
        earlier = None if is_restarted else Manifest.read(self.layout)
        known = earlier.plan["inputs"] if earlier else ()
        plan = Plan.of(self.nlp, self.command.pipeline, self.inputs, self.plugins, self.options, known)
        if earlier is None:
            if not is_restarted and self.layout.is_used:
                raise MmpipeError(
                    "holds shards or a quarantine, but no manifest that says of what run",
                    where=str(self.layout.folder),
                    next_step="name another -o, or --restart to remove them",
                )
            self.layout.clear()
            manifest = Manifest(self.layout, plan.as_dict(), asdict(self.command), self._columns())
            manifest.total_bytes = sum(given.source.size for given in self.inputs)
            return manifest
        differences = plan.differences(earlier.plan)
        if any("sha256" not in entry and entry["path"] is None for entry in plan.inputs) and earlier.state != FINISHED:
            raise MmpipeError(
                "standard input cannot be read a second time",
                where=str(self.layout.folder),
                next_step="--restart begins anew; name a file to be able to go on",
            )
        if differences and not is_forced:
            raise MmpipeError(
                "the folder holds another run:\n    " + "\n    ".join(differences[:20]),
                where=str(self.layout.folder),
                next_step="put that back; or --restart begins anew, --force goes on and puts it on record",
            )
        if differences:
            earlier.note("forced", differences=differences)
            earlier.plan, earlier.command, earlier.state = plan.as_dict(), asdict(self.command), STOPPED
        self.layout.sweep()
        return earlier

    def _columns(self) -> dict[str, Any] | None:
        """The columns of a table format, from the first records and what the components assign."""
        spec = writer_of(self._ending, self.plugins)
        if not spec.is_table:
            return None
        from mmpipe.corpus.columns import Columns

        items = (item for item, _, _ in placed(self.inputs))
        with self.privacy.silence(), self.privacy.errors():
            records = (item.identified for item in islice(items, _SAMPLE) if item.record is not None)
            sample = [{self.privacy.key(key): value for key, value in record.items()} for record in records]
            fields, owners = _fields(self.nlp)
            return Columns.of(sample, fields, owners).as_dict()


def counts_of(manifest: Manifest) -> RunCounts:
    """What hooks are told of a run."""
    counts = manifest.counts
    return RunCounts(counts.n_read, counts.n_written, counts.n_quarantined, counts.n_skipped)


def folder_of(output: str) -> Path | None:
    """The folder that an output names: one that is there, or a name without an ending; None for a file or `-`."""
    path = Path(output)
    is_folder = output != "-" and (path.is_dir() or output.endswith("/") or not path.suffix)
    return path if is_folder else None


def _fields(nlp: Language) -> tuple[dict[str, Any], dict[str, str]]:
    """The type of each field that components write, as far as they say; and which component says it."""
    fields: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for name in nlp.pipe_names:
        types = types_of(nlp, name)
        fields |= {field: "json" for field in fields_of(nlp, name)} | types
        owners |= dict.fromkeys(types, name)
    return fields, owners
