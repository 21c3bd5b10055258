"""`mmpipe run`"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import WITH_OVERRIDES, PipelineArgument, quiet, split_overrides

if TYPE_CHECKING:
    from mmpipe.corpus.run import Progress


def run(
    pipeline: PipelineArgument,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Files, folders or patterns; - is standard input. JSONL, CSV, TSV, text."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT.jsonl", help="- is standard output.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most so many records.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Records batched together.")] = 256,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda:0, ...; a model's own setting wins.")] = None,
    text_key: Annotated[str, typer.Option(help="The key of a record that holds its text.")] = "text",
    reader: Annotated[str | None, typer.Option(help="Read all inputs with this reader.")] = None,
    force: Annotated[bool, typer.Option("--force", "-F", help="Replace an older output.")] = False,
) -> None:
    """Run a pipeline over a corpus: each record goes out with one key a field added.

    Records that fail go to OUT.errors.jsonl with component, error and record; the exit code is then 4.
    Any setting of the pipeline can be overridden: --components.sentiment.model.precision=fp32
    """
    quiet()
    inputs, overrides = split_overrides(inputs)
    if not inputs:
        raise typer.BadParameter("name at least one INPUT")
    from mmpipe.corpus.run import Run, check_output, errors_path, find_writer
    from mmpipe.corpus.source import find_inputs
    from mmpipe.errors import NoInputError
    from mmpipe.loading import load
    from mmpipe.plugins import get_plugins
    from mmpipe.specs import RunInfo

    plugins = get_plugins()
    find_writer(output, plugins)
    found = find_inputs(inputs, plugins, reader=reader, text_key=text_key)
    out, failed = (None, None) if output == "-" else (Path(output), errors_path(Path(output)))
    if out is not None:
        check_output(out, found, is_forced=force)
    nlp = load(pipeline, overrides, device=device)
    info = RunInfo(pipeline, tuple(inputs), output)
    job = Run(nlp, found, plugins, info, limit=limit, batch_size=batch_size, text_key=text_key)
    try:
        with _streams(out, failed) as (results, errors), _bar() as show:
            progress = job.write(results, errors, show)
    except KeyboardInterrupt:
        counts = job.progress.counts
        print(f"interrupted after {counts.n_read:,} records; {output} was not written", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    _tidy(failed, progress)
    print(_told(progress, output, failed), file=sys.stderr)
    if progress.n_read == 0:
        raise NoInputError("no records", where=", ".join(inputs), next_step="name an INPUT that holds some")
    raise typer.Exit(ExitCode.SOME_FAILED if progress.n_failed else ExitCode.OK)


run.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]


@contextlib.contextmanager
def _streams(out: Path | None, failed: Path | None) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    from mmpipe.corpus.run import whole_file

    if out is None or failed is None:
        yield sys.stdout.buffer, sys.stderr.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(out) as results, whole_file(failed) as errors:
        yield results, errors


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A progress bar with rate and time left, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda progress: None
        return
    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Any) -> None:
            rate = progress.n_read / max(progress.seconds, 1e-9)
            failed = f", {progress.n_failed:,} failed" if progress.n_failed else ""
            described = f"{progress.n_read:,} records, {rate:,.1f} a second{failed}"
            bar.update(task, description=described, completed=progress.n_bytes, total=progress.total_bytes or None)

        yield show


def _tidy(failed: Path | None, progress: Progress) -> None:
    if failed is not None and not progress.n_failed:
        failed.unlink(missing_ok=True)


def _told(progress: Progress, output: str, failed: Path | None) -> str:
    rate = progress.n_read / max(progress.seconds, 1e-9)
    noun = "record" if progress.n_read == 1 else "records"
    text = (
        f"{progress.n_read:,} {noun} read in {progress.seconds:.1f} s ({rate:,.1f} a second): "
        f"{progress.n_written:,} written to {'standard output' if output == '-' else output}"
    )
    if progress.n_failed:
        text += f", {progress.n_failed:,} failed, see {failed or 'the lines above'}"
    return text
