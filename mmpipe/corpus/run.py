"""A run: records from sources through a pipeline to a writer, every record accounted for."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from spacy.language import Language

from mmpipe.corpus.jsonl import Writer as JsonlWriter
from mmpipe.corpus.process import Failure, Processor
from mmpipe.corpus.source import Input, Item
from mmpipe.errors import MmpipeError, RecordError
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry
from mmpipe.specs import RunCounts, RunInfo

logger = logging.getLogger("mmpipe")


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
        self.inputs, self.plugins, self.info = inputs, plugins, info
        self.limit, self.batch_size = limit, batch_size
        self.processor = Processor(nlp, text_key=text_key)
        self.progress = Progress(total_bytes=sum(given.source.size for given in inputs))

    def write(self, output: BinaryIO, errors: BinaryIO, on_batch: Callable[[Progress], None]) -> Progress:
        """Process everything: results to `output`, failures as JSON lines to `errors`, `on_batch` after each batch.

        A result that cannot be written as JSON is a failure like any other.
        """
        results, failures = find_writer(self.info.output, self.plugins)(output), JsonlWriter(errors)
        self._notify("mmpipe_run_started", run=self.info)
        try:
            for batch, root in self._batches():
                if not self.progress.n_read:
                    self._warn_without_text(batch)
                outcomes = self.processor.process(batch, root=root)
                for item, outcome in zip(batch, outcomes, strict=True):
                    if not isinstance(outcome, Failure):
                        outcome = _written(results, item, outcome)
                    if isinstance(outcome, Failure):
                        line = _write_failure(failures, outcome)
                        self._notify("mmpipe_document_failed", run=self.info, failure=line)
                        self.progress.n_failed += 1
                    else:
                        self.progress.n_written += 1
                self.progress.n_read += len(batch)
                self._notify("mmpipe_batch_done", run=self.info, counts=self.progress.counts)
                on_batch(self.progress)
        finally:
            self._notify("mmpipe_run_ended", run=self.info, counts=self.progress.counts)
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

    def _warn_without_text(self, batch: Sequence[Item]) -> None:
        keys = {key for item in batch for key in item.record or ()}
        wanted = {self.processor.text_key, "image", "images"}
        if keys and not keys & wanted:
            hint = nearest(self.processor.text_key, keys, listing="their keys")
            logger.warning(
                "no record of the first %d has a %r; %s; name the right one with --text-key",
                len(batch),
                self.processor.text_key,
                hint,
            )

    def _notify(self, hook: str, **arguments: Any) -> None:
        """Call every plugin's implementation of a hook; one that raises is reported and ends nothing."""
        for implementation in getattr(self.plugins.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(**{name: arguments[name] for name in implementation.argnames})
            except Exception as error:
                logger.warning("%s of %s raised %s: %s", hook, implementation.plugin_name, type(error).__name__, error)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is complete and flushed to disk.

    Until then it stands beside it as `<name>.part`, which an interrupted run leaves behind.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = part.open("wb")
    except OSError as error:
        raise _cannot_write(path, error) from None
    with stream:
        yield stream
        try:
            stream.flush()
            os.fsync(stream.fileno())
        except OSError as error:
            raise _cannot_write(path, error) from None
    os.replace(part, path)


def _cannot_write(path: Path, error: OSError) -> MmpipeError:
    return MmpipeError(f"cannot be written: {error.strerror}", where=str(path), next_step="name another -o")


def find_writer(output: str, plugins: PluginRegistry) -> Callable[[BinaryIO], Any]:
    """The writer that answers to the ending of `output`; JSONL for "-". Raises MmpipeError where none does."""
    specs = plugins.all("writers")
    suffix = Path(output).suffix.lower()
    name = "jsonl" if output == "-" else next((spec.name for spec in specs if suffix in spec.suffixes), None)
    if name is None:
        raise MmpipeError(
            f"no writer answers to the ending {suffix!r}",
            where=output,
            next_step=nearest(suffix, [end for spec in specs for end in spec.suffixes], listing="endings to write"),
        )
    return plugins.code("writers", name)


def errors_path(output: Path) -> Path:
    """OUT.jsonl -> OUT.errors.jsonl"""
    return output.with_name(output.stem + ".errors.jsonl")


def check_output(output: Path, inputs: Sequence[Input], *, is_forced: bool) -> None:
    """Raises MmpipeError where writing `output` would destroy an input, or an older result without `is_forced`."""
    for written in (output, errors_path(output)):
        for given in inputs:
            if given.source.path is not None and written.exists() and written.samefile(given.source.path):
                raise MmpipeError(
                    "is an input and would be overwritten", where=str(written), next_step="name another -o"
                )
    above = next((folder for folder in output.parents if folder.exists()), output)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise MmpipeError(
            f"cannot be written: {above} is no folder that may be written to",
            where=str(output),
            next_step="name another -o",
        )
    if output.is_dir():
        raise MmpipeError("is a folder", where=str(output), next_step=f"name a file: {output / 'results.jsonl'}")
    if output.exists() and not is_forced:
        raise MmpipeError(
            "exists already", where=str(output), next_step="name another -o, or use --force to replace it"
        )


def _written(writer: Any, item: Item, result: dict[str, Any]) -> dict[str, Any] | Failure:
    try:
        writer.write(result)
    except (ValueError, TypeError, RecursionError) as error:
        problem = RecordError(
            f"the result cannot be written: {error}", where=item.origin, next_step="results must be JSON data"
        )
        return Failure(item.origin, None, problem, item.record)
    return result


def _write_failure(writer: JsonlWriter, failure: Failure) -> dict[str, Any]:
    line = failure.as_dict()
    try:
        writer.write(line)
    except (ValueError, TypeError, RecursionError):
        # A reader of a plugin's may give what is not JSON data.
        line["record"] = f"{type(failure.record).__name__} that is not JSON data"
        writer.write(line)
    return line
