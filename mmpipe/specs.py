"""What hooks yield and are told: frozen descriptions of the things a plugin provides, and of a run.

Descriptions name code (`"package.module"` or `"package.module:function"`) instead of holding it, so that
listing a plugin imports none of its components and no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


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

    name: what users write in place of a file; best prefixed with the plugin's own, since names are for all plugins.
    config: a config tree (`{"nlp": ..., "components": ...}`) or the path of a config file.
    summary: one line for listings.
    """

    name: str
    config: Mapping[str, Any] | Path
    summary: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """A model that a plugin ships.

    name: the reference users write, `mmpipe/sentiment-small`.
    folder: a Hugging Face model folder, or an overlay on a packaged backbone, which
        `mmpipe models pack` writes: the weights that differ from the backbone's, and which one that is.
    licence: an SPDX identifier or a few words; the card (README.md in the folder) says the rest.
    summary: one line for `mmpipe models list`.
    """

    name: str
    folder: Path
    licence: str
    summary: str = ""


@dataclass(frozen=True)
class ReaderSpec:
    """A format that records come in.

    name: what `--reader` takes.
    function: `"module:function"`, called with one `mmpipe.corpus.source.Source`, yielding `Item`s.
    suffixes: file name endings it answers to, with the dot, lower case; none where it has to be chosen by name.
    summary: one line for listings.
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

    name: for listings and messages; a file's ending chooses the writer.
    function: `"module:function"`, called with a binary stream and a `mmpipe.corpus.columns.Columns`, returning an
        object with `write(result)`, which raises ValueError or TypeError for what cannot be written and then writes
        nothing, and `close()`, which writes what is left and leaves the stream open. Equal results must give equal
        bytes.
    suffixes: file name endings it answers to, with the dot, lower case.
    summary: one line for listings.
    takes: what `write` is given: "results", as `mmpipe.to_record` makes them, or "docs", spaCy's.
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

    name: what a component's `metric` says, and `mmpipe evaluate --metric FIELD=NAME`.
    object: `"module:Class"`, a mmpipe.metrics.base.Metric.
    summary: one line for listings.
    """

    name: str
    object: str
    summary: str = ""


@dataclass(frozen=True)
class EngineSpec:
    """What does the shards of a run: `mmpipe run --engine <name>`.

    name: what `--engine` takes.
    function: `"module:function"`, a mmpipe.corpus.engine.Engine.
    summary: one line for listings.
    """

    name: str
    function: str
    summary: str = ""


@dataclass(frozen=True)
class CommandSpec:
    """A command of the command line: `mmpipe <name>`.

    name: the word behind `mmpipe`; those of mmpipe itself cannot be taken.
    function: `"module:object"`, a Typer function or a `typer.Typer` app with commands of its own. It is
    imported when the command is called, not for `mmpipe --help`.
    summary: the line in `mmpipe --help`.
    """

    name: str
    function: str
    summary: str = ""


@dataclass(frozen=True)
class RunInfo:
    """What the hooks of a run's life are told about the run.

    pipeline, inputs, output: as the user named them; an output of `-` is standard output.
    process: where the hook is called, "main" or "worker 0".
    """

    pipeline: str
    inputs: tuple[str, ...]
    output: str
    process: str = "main"


@dataclass(frozen=True)
class RunCounts:
    """What has happened so far in a run, in records; read = written + failed + skipped once it has ended.

    n_read: records taken from the inputs. n_written: results that went out. n_failed: records that went to the errors
    file or the quarantine. n_skipped: records left out on purpose (`--skip-empty`).
    """

    n_read: int = 0
    n_written: int = 0
    n_failed: int = 0
    n_skipped: int = 0
