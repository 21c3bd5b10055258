"""The whole plugin contract.

A plugin is a distribution with an entry point in the group `mmpipe` that names a module. The module implements
any of the functions below, marked with `@mmpipe.hookimpl`, and may set `api_version = 1`. It imports nothing
heavy: descriptions name code, they do not hold it. An implementation may take fewer arguments than its hook.

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
"""The version of this contract. A plugin that sets another `api_version` is refused by name."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def mmpipe_components() -> Iterable[ComponentSpec]:
    """Yield the pipeline components that the plugin provides."""


@hookspec
def mmpipe_pipelines() -> Iterable[PipelineSpec]:
    """Yield named pipelines, so that `mmpipe.load("acme-reviews")` works."""


@hookspec
def mmpipe_models() -> Iterable[ModelSpec]:
    """Yield the models that the plugin ships, so that `name = "mmpipe/..."` finds them."""


@hookspec
def mmpipe_readers() -> Iterable[ReaderSpec]:
    """Yield formats that `mmpipe run` can read."""


@hookspec
def mmpipe_writers() -> Iterable[WriterSpec]:
    """Yield formats that `mmpipe run` can write."""


@hookspec
def mmpipe_metrics() -> Iterable[MetricSpec]:
    """Yield measures of quality; a component names the one that judges it in its class attribute `metric`."""


@hookspec
def mmpipe_engines() -> Iterable[EngineSpec]:
    """Yield engines, which do the shards of a run somewhere: `mmpipe run --engine acme`."""


@hookspec
def mmpipe_commands() -> Iterable[CommandSpec]:
    """Yield commands of the command line."""


@hookspec
def mmpipe_run_started(run: RunInfo) -> None:
    """A run over a corpus is about to read its first record.

    It and the hooks below are called in the main process and in each worker. One that raises is reported and ends
    nothing; mmpipe.StopRun ends the run, which the same command continues.
    """


@hookspec
def mmpipe_batch_done(run: RunInfo, counts: RunCounts) -> None:
    """A batch of records has been processed and written; `counts` are of the whole run so far."""


@hookspec
def mmpipe_document_failed(run: RunInfo, failure: Mapping[str, Any]) -> None:
    """A record failed; `failure` is the line that goes to the errors file."""


@hookspec
def mmpipe_shard_written(run: RunInfo, shard: Mapping[str, Any]) -> None:
    """A shard is whole on disk; `shard` is its entry in the manifest: counts, tokens, seconds of each component."""


@hookspec
def mmpipe_run_ended(run: RunInfo, counts: RunCounts) -> None:
    """The run is over: finished, failed or interrupted."""
