"""`mmpipe run`"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import (
    WITH_OVERRIDES,
    BatchSizeOption,
    DeviceOption,
    LimitOption,
    PipelineArgument,
    ReaderOption,
    TextKeyOption,
    quiet,
    split_overrides,
)
from mmpipe.cli.run_bar import run_bar, told

if TYPE_CHECKING:
    from mmpipe.corpus.source import Input
    from mmpipe.plugins import PluginRegistry


def run(
    pipeline: PipelineArgument,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Files, folders or patterns; - is standard input."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="A folder, a file such as out.jsonl, or - .")
    ],
    format: Annotated[
        str | None, typer.Option(help="Format of the shards in a folder: .jsonl, .jsonl.gz, .parquet, .csv, ...")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Records in a shard.")] = 1000,
    limit: LimitOption = None,
    batch_size: BatchSizeOption = 256,
    workers: Annotated[
        int,
        typer.Option("--workers", "-n", min=0, help="Spawned processes, one a GPU where there are several; 0: none."),
    ] = 0,
    engine: Annotated[str | None, typer.Option(help="What does the shards: local, workers, or a plugin's.")] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of the cluster for --engine ray; else one is started here."),
    ] = None,
    max_errors: Annotated[
        str | None, typer.Option(metavar="N|P%", help="Stop when more records than that have failed.")
    ] = None,
    device: DeviceOption = None,
    text_key: TextKeyOption = "text",
    reader: ReaderOption = None,
    fallback: Annotated[
        str | None, typer.Option(help="An encoding for text that is not UTF-8, such as cp1252.")
    ] = None,
    skip_empty: Annotated[bool, typer.Option("--skip-empty", help="Leave out records without text and media.")] = False,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE.prom", help="Write metrics in Prometheus's text format.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, and replace an older output.")] = False,
    force: Annotated[
        bool, typer.Option("--force", "-F", help="Go on with another config, input, plugin or model; put on record.")
    ] = False,
) -> None:
    """Run a pipeline over a corpus: each record goes out with one key a field added.

    Kill it at any moment and run the same command again: it goes on, and the output is that of a run never
    interrupted. Records that fail go to quarantine.jsonl (OUT.errors.jsonl beside a file) with component, error and
    record; the exit code is then 4. Any setting of the pipeline can be overridden:
    --components.sentiment.model.precision=fp32
    """
    quiet()
    inputs, overrides = split_overrides(inputs)
    if not inputs:
        raise typer.BadParameter("name at least one INPUT")
    from mmpipe.corpus.formats import USUAL, ending_of
    from mmpipe.corpus.joined import errors_path, join, layout_beside
    from mmpipe.corpus.layout import Layout
    from mmpipe.corpus.output import check_file, check_folder, check_inputs_spared
    from mmpipe.corpus.plan import Command, Options
    from mmpipe.corpus.sharded import Limit, ShardedRun, folder_of
    from mmpipe.corpus.source import find_inputs
    from mmpipe.errors import NoInputError
    from mmpipe.loading import load
    from mmpipe.plugins import get_plugins

    try:
        limit_of_errors = Limit.of(max_errors) if max_errors else None
    except ValueError:
        raise typer.BadParameter(f"--max-errors takes a number or a percentage, got {max_errors!r}") from None
    if ray_address and engine != "ray":
        raise typer.BadParameter("--ray-address goes with --engine ray")
    plugins = get_plugins()
    found = find_inputs(inputs, plugins, reader=reader, text_key=text_key, fallback=fallback)
    if output == "-":
        _stream(pipeline, inputs, overrides, found, plugins, device, limit, batch_size, text_key)
        return
    folder, file = folder_of(output), None
    if folder is not None:
        layout = Layout(folder, ending_of(f"shard{format or USUAL}", plugins))
        check_folder(folder)
    else:
        file = Path(output)
        layout = layout_beside(file, plugins)
        if format is not None:
            raise typer.BadParameter("--format is for a folder; a file's ending says its format")
        check_inputs_spared((file, errors_path(file)), found)
        check_file(file, is_forced=restart or layout.manifest.exists(), force="--restart")
    nlp = load(pipeline, overrides, device=device)
    job = ShardedRun(
        nlp,
        Command(pipeline, tuple(inputs), overrides, device, os.getcwd()),
        found,
        plugins,
        layout,
        Options(layout.ending, shard_size, batch_size, limit, text_key, reader, fallback, skip_empty),
        plugins.code("engines", engine or ("workers" if workers else "local")),
        n_workers=max(workers, 1),
        address=ray_address,
        max_errors=limit_of_errors,
        output=file,
    )
    if metrics is not None:
        from mmpipe.prometheus import MetricsFile

        plugins.manager.register(MetricsFile(metrics))
    try:
        with run_bar() as show:
            manifest = job.execute(is_forced=force, is_restarted=restart, on_shard=show)
    except NoInputError:
        if file is not None:
            shutil.rmtree(layout.folder, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        print(f"interrupted; the same command goes on from where {output} is", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    failures: Path | None = layout.quarantine
    if file is not None:
        join(manifest, file, plugins)
        failures = errors_path(file)
    print(told(manifest, output, failures), file=sys.stderr)
    raise typer.Exit(ExitCode.SOME_FAILED if manifest.counts.n_quarantined else ExitCode.OK)


def _stream(
    pipeline: str,
    inputs: list[str],
    overrides: dict,
    found: list[Input],
    plugins: PluginRegistry,
    device: str | None,
    limit: int | None,
    batch_size: int,
    text_key: str,
) -> None:
    """Results to standard output, failures to standard error."""
    from mmpipe.corpus.run import Run
    from mmpipe.errors import NoInputError
    from mmpipe.loading import load
    from mmpipe.specs import RunInfo

    nlp = load(pipeline, overrides, device=device)
    job = Run(
        nlp,
        found,
        plugins,
        RunInfo(pipeline, tuple(inputs), "-"),
        limit=limit,
        batch_size=batch_size,
        text_key=text_key,
    )
    progress = job.write(sys.stdout.buffer, sys.stderr.buffer, lambda progress: sys.stdout.buffer.flush())
    if progress.n_read == 0:
        raise NoInputError("no records", where=", ".join(inputs), next_step="name an INPUT that holds some")
    raise typer.Exit(ExitCode.SOME_FAILED if progress.n_failed else ExitCode.OK)


run.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]
