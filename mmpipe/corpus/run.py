"""A run into a stream: results as they come, every record accounted for, and nothing to go on from."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from spacy.language import Language

from mmpipe.corpus.hints import warn_without_text
from mmpipe.corpus.jsonl import Writer as JsonlWriter
from mmpipe.corpus.notices import Notices
from mmpipe.corpus.process import Failure, Processor
from mmpipe.corpus.quarantine import as_json, line_of, makers_of
from mmpipe.corpus.shard import written
from mmpipe.corpus.source import Input, Item
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import RunCounts, RunInfo


@dataclass
class Progress:
    """How far a run is. n_read = n_written + n_failed whenever a batch is done; n_bytes of total_bytes of input."""

    total_bytes: int = 0
    n_bytes: int = 0
    n_read: int = 0
    n_written: int = 0
    n_failed: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def counts(self) -> RunCounts:
        return RunCounts(self.n_read, self.n_written, self.n_failed)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


class Run:
    """One run of a pipeline over inputs.

    nlp: the pipeline. inputs: as `find_inputs` gives them. info: as the plugins' hooks are told.
    limit: read at most so many records. batch_size: records that are batched together. text_key: see make_doc.
    """

    def __init__(
        self,
        nlp: Language,
        inputs: Sequence[Input],
        plugins: PluginRegistry,
        info: RunInfo,
        *,
        limit: int | None = None,
        batch_size: int = 256,
        text_key: str = "text",
    ) -> None:
        self.plugins, self.info = plugins, info
        self.limit, self.batch_size = limit, batch_size
        self.processor = Processor(nlp, text_key=text_key)
        self.inputs = [replace(given, is_private=self.processor.privacy.is_private) for given in inputs]
        self._notices, self._makers = Notices(plugins, info), makers_of(nlp, plugins)
        self.progress = Progress(total_bytes=sum(given.source.size for given in inputs))

    def write(self, output: BinaryIO, errors: BinaryIO, on_batch: Callable[[Progress], None]) -> Progress:
        """Process everything: results to `output`, failures as JSON lines to `errors`, `on_batch` after each batch.

        A result that cannot be written as JSON is a failure like any other.
        """
        privacy = self.processor.privacy
        with privacy.silence(), privacy.errors():
            return self._write(output, errors, on_batch)

    def _write(self, output: BinaryIO, errors: BinaryIO, on_batch: Callable[[Progress], None]) -> Progress:
        results = JsonlWriter(output, None)
        self._notices.tell("mmpipe_run_started")
        try:
            for batch, root in self._batches():
                if not self.progress.n_read:
                    warn_without_text(batch, self.processor.text_key)
                outcomes = self.processor.process(batch, root=root)
                for item, outcome in zip(batch, outcomes, strict=True):
                    failure = outcome if isinstance(outcome, Failure) else written(results, item, outcome)
                    if failure is None:
                        self.progress.n_written += 1
                    else:
                        position = self.progress.n_written + self.progress.n_failed
                        line = line_of(failure, item, position, 1, self._makers, self.processor.privacy)
                        errors.write(as_json(line))
                        self._notices.tell("mmpipe_document_failed", failure=line)
                        self.progress.n_failed += 1
                self.progress.n_read += len(batch)
                self._notices.tell("mmpipe_batch_done", counts=self.progress.counts)
                on_batch(self.progress)
        finally:
            self._notices.tell("mmpipe_run_ended", counts=self.progress.counts)
        return self.progress

    def _batches(self) -> Iterator[tuple[list[Item], Path]]:
        """Batches of one source each, with the folder that its media are relative to."""
        left = self.limit
        for given in self.inputs:
            base = self.progress.n_bytes
            items = iter(given) if left is None else itertools.islice(given, left)
            while batch := list(itertools.islice(items, self.batch_size)):
                left = None if left is None else left - len(batch)
                self.progress.n_bytes = base + batch[-1].n_bytes
                yield batch, given.source.root
            self.progress.n_bytes = base + given.source.size
            if left is not None and left <= 0:
                return
