"""The whole plugin contract.

A plugin is a distribution with an entry point in the group `mmpipe` that names a module. The module implements
any of the functions below, marked with `@mmpipe.hookimpl`, and may set `api_version = 1`. It imports nothing
heavy: descriptions name code, they do not hold it. An implementation may take fewer arguments than its hook.
There is a whole plugin for each in docs/reference; docs/plugin-api.md says what may change, and when.

    import mmpipe

    @mmpipe.hookimpl
    def mmpipe_components():
        yield mmpipe.ComponentSpec(name="acme_tone", module="acme_tone.component", summary="tone of a text")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from mmpipe.specs import (
    CommandSpec,
    ComponentSpec,
    EngineSpec,
    MetricSpec,
    ModelSpec,
    PipelineSpec,
    ReaderSpec,
    RunCounts,
    RunInfo,
    WriterSpec,
)

PROJECT = "mmpipe"
API_VERSION = 1
"""The version of this contract. A plugin that sets another `api_version` is refused by name. What raises it, and how
long a hook or an argument is deprecated before it goes, stands in docs/plugin-api.md."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def mmpipe_components() -> Iterable[ComponentSpec]:
    """Yield the pipeline components that the plugin provides.

    A spec names a module; importing it registers the spaCy factory. `mmpipe.load` imports it when a config asks.
    """


@hookspec
def mmpipe_pipelines() -> Iterable[PipelineSpec]:
    """Yield named pipelines, so that `mmpipe.load("acme-reviews")` and `mmpipe run acme-reviews ...` work."""


@hookspec
def mmpipe_models() -> Iterable[ModelSpec]:
    """Yield the models that the plugin ships, so that `name = "mmpipe/..."` finds them."""


@hookspec
def mmpipe_readers() -> Iterable[ReaderSpec]:
    """Yield formats that `mmpipe run` can read: a function from a Source to Items, chosen by the ending of a file."""


@hookspec
def mmpipe_writers() -> Iterable[WriterSpec]:
    """Yield formats that `mmpipe run` can write: a class around a binary stream, chosen by the ending of the output."""


@hookspec
def mmpipe_metrics() -> Iterable[MetricSpec]:
    """Yield measures of quality; a component names the one that judges it in its class attribute `metric`."""


@hookspec
def mmpipe_engines() -> Iterable[EngineSpec]:
    """Yield engines, which do the shards of a run somewhere: `mmpipe run --engine acme`."""


@hookspec
def mmpipe_commands() -> Iterable[CommandSpec]:
    """Yield commands of the command line: Typer functions, or apps with commands of their own."""


@hookspec
def mmpipe_run_started(run: RunInfo) -> None:
    """A run over a corpus is about to read its first record; called in the main process and in each worker.

    An implementation of this or of the hooks below that raises is reported and ends nothing; mmpipe.StopRun ends the
    run, which the same command continues.
    """


@hookspec
def mmpipe_batch_done(run: RunInfo, counts: RunCounts) -> None:
    """A batch of records has been processed; called in the process that did it.

    counts: of what that process has done so far.
    """


@hookspec
def mmpipe_document_failed(run: RunInfo, failure: Mapping[str, Any]) -> None:
    """A record failed, and the others go on; called in the process that worked on it.

    failure: its line in the errors file or the quarantine: position (its number in the run), origin (where it stood),
    offset, component (None where it failed outside the pipeline), plugin and version (who made that component), error
    (the type's name), message, next_step, traceback (None for an error of mmpipe's own), attempt (from 1), record.
    """


@hookspec
def mmpipe_shard_written(run: RunInfo, shard: Mapping[str, Any]) -> None:
    """A shard is whole on disk; called in the main process only, and never where standard output is written.

    shard: its entry in the manifest: index, first (the number of its first record in the run), n_read, n_written,
    n_quarantined, n_skipped, n_input_bytes (how far into all inputs it ends), n_bytes and sha256 (of its file),
    quarantine_sha256 (None where nothing failed), n_tokens, seconds, component_seconds (by component), errors
    (pairs of [component, error] and how many).
    """


@hookspec
def mmpipe_run_ended(run: RunInfo, counts: RunCounts) -> None:
    """The run is over: finished, failed or interrupted; called in the main process only.

    counts: of all of the run, what earlier commands did of it included.
    """
