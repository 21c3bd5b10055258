"""What hooks yield: frozen descriptions of the things a plugin provides.

Descriptions name code (`"package.module"` or `"package.module:function"`) instead of holding it, so that
listing a plugin imports none of its components and no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmpipe.errors import PluginError


@dataclass(frozen=True)
class ComponentSpec:
    """A pipeline component.

    name: its spaCy factory name, prefixed with the plugin's own (`mmpipe_sentiment`); no dots.
    module: the module whose import registers that name with `@Language.factory` or `@Language.component`.
    summary: one line for listings.
    """

    name: str
    module: str
    summary: str = ""


@dataclass(frozen=True)
class PipelineSpec:
    """A named pipeline: `mmpipe.load(name)`.

    config: a config tree (`{"nlp": ..., "components": ...}`) or the path of a config file.
    """

    name: str
    config: Mapping[str, Any] | Path
    summary: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """A model that a plugin ships.

    name: the reference users write, `mmpipe/sentiment-small`.
    folder: a Hugging Face model folder, or an overlay on a packaged backbone (see mmpipe.models.checkpoint).
    licence: an SPDX identifier or a few words; the card (README.md in the folder) says the rest.
    """

    name: str
    folder: Path
    licence: str
    summary: str = ""


@dataclass(frozen=True)
class ReaderSpec:
    """A format that records come in.

    function: `"module:function"`, called with one `mmpipe.corpus.source.Source`, yielding `Item`s.
    suffixes: file name endings it answers to, with the dot, lower case; none where it has to be chosen by name.
    sidecars: names of files that say more about files of this format. In a folder that holds both, they come to
        this function too, instead of to the reader of their own ending.
    """

    name: str
    function: str
    suffixes: tuple[str, ...]
    summary: str = ""
    sidecars: tuple[str, ...] = ()


@dataclass(frozen=True)
class WriterSpec:
    """A format that results go out in.

    function: `"module:function"`, called with a binary stream and a `mmpipe.corpus.columns.Columns`, returning an
        object with `write(result)`, which raises ValueError or TypeError for what cannot be written and then writes
        nothing, and `close()`, which writes what is left and leaves the stream open. Equal results must give equal
        bytes.
    suffixes: file name endings it answers to, with the dot, lower case.
    takes: what `write` is given: "results", as `mmpipe.document.to_record` makes them, or "docs", spaCy's.
    is_table: whether it writes the columns it is given, which are then made from the first records of a run.
    """

    name: str
    function: str
    suffixes: tuple[str, ...]
    summary: str = ""
    takes: Literal["results", "docs"] = "results"
    is_table: bool = False


@dataclass(frozen=True)
class MetricSpec:
    """A measure of quality, for `mmpipe evaluate` and for scores in training.

    name: what a component's `metric` says. object: `"module:Class"`, a mmpipe.metrics.base.Metric.
    """

    name: str
    object: str
    summary: str = ""


@dataclass(frozen=True)
class EngineSpec:
    """What does the shards of a run: `mmpipe run --engine <name>`.

    function: `"module:function"`, a mmpipe.corpus.engine.Engine.
    """

    name: str
    function: str
    summary: str = ""


@dataclass(frozen=True)
class CommandSpec:
    """A command of the command line: `mmpipe <name>`.

    function: `"module:object"`, a Typer function or a `typer.Typer` app with commands of its own. It is
    imported when the command is called, not for `mmpipe --help`.
    """

    name: str
    function: str
    summary: str = ""


def check(spec: Any) -> None:
    """Raises PluginError where what a plugin's spec holds is not of the kinds above."""
    kind = type(spec).__name__
    for name in ("name", "module", "function", "object"):
        value = getattr(spec, name, "-")
        if not isinstance(value, str) or not value:
            raise PluginError(f"{kind}.{name} must be a non-empty string, got {value!r}")
    if isinstance(spec, ComponentSpec) and "." in spec.name:
        raise PluginError(f"{kind}.name may not contain a dot, got {spec.name!r}")
    if isinstance(spec, ModelSpec) and not spec.name.startswith("mmpipe/"):
        raise PluginError(f"{kind}.name must begin with 'mmpipe/', got {spec.name!r}")
    suffixes = getattr(spec, "suffixes", ())
    if not isinstance(suffixes, tuple) or not all(isinstance(s, str) and s.startswith(".") for s in suffixes):
        raise PluginError(f"{kind}.suffixes must be a tuple such as ('.jsonl',), got {suffixes!r}")
    sidecars = getattr(spec, "sidecars", ())
    if not isinstance(sidecars, tuple) or not all(isinstance(name, str) and name for name in sidecars):
        raise PluginError(f"{kind}.sidecars must be a tuple such as ('captions.jsonl',), got {sidecars!r}")
    if isinstance(spec, WriterSpec) and spec.takes not in ("results", "docs"):
        raise PluginError(f"{kind}.takes must be 'results' or 'docs', got {spec.takes!r}")


@dataclass(frozen=True)
class RunInfo:
    """What the hooks of a run's life are told about the run.

    pipeline: the pipeline as the user named it; inputs and output likewise. process: where the hook is called, "main"
    or "worker 0"; each has its own start and end.
    """

    pipeline: str
    inputs: tuple[str, ...]
    output: str
    process: str = "main"


@dataclass(frozen=True)
class RunCounts:
    """What has happened so far in a run, in records; read = written + failed + skipped once it has ended."""

    n_read: int = 0
    n_written: int = 0
    n_failed: int = 0
    n_skipped: int = 0
