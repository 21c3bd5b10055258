"""`mmpipe evaluate`"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import (
    WITH_OVERRIDES,
    BatchSizeOption,
    DeviceOption,
    GoldOption,
    LabelsOption,
    LimitOption,
    ReaderOption,
    TextKeyOption,
    quiet,
    split_overrides,
)


def evaluate(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PIPELINE GOLD...",
            help="A pipeline, then files, folders or patterns of records with gold; - is standard input. "
            "With --results, GOLD alone, or nothing where the results hold the gold.",
        ),
    ] = None,
    results: Annotated[
        str | None, typer.Option(metavar="RESULTS", help="Judge what `mmpipe run` wrote, instead of a pipeline.")
    ] = None,
    gold: GoldOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=METRIC", help="Judge a field, or a component, by this metric."),
    ] = None,
    labels: LabelsOption = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Figures for each value of this key of the records, too.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="OTHER", help="A pipeline or results to compare with, on the same records.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate: PIPELINE is a training config, trained so many times.")
    ] = None,
    limit: LimitOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.json", help="Write everything as JSON.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Write a report with plots: one HTML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    n_resamples: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Resamples behind the intervals; 0 for none.")
    ] = 1000,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of resampling and folds.")] = 0,
    worst: Annotated[int, typer.Option(min=0, help="How many of the worst examples to list.")] = 10,
    batch_size: BatchSizeOption = 256,
    device: DeviceOption = None,
    text_key: TextKeyOption = "text",
    reader: ReaderOption = None,
    force: Annotated[bool, typer.Option("--force", "-F", help="Replace older output files.")] = False,
) -> None:
    """Judge a pipeline, or results, against gold: figures with confidence intervals, slices, and a report.

    Every component that has a metric is judged on the records that hold gold for it; the others are counted. Any
    setting of the pipeline can be overridden: --components.sentiment.model.precision=fp32
    """
    quiet()
    targets, overrides = split_overrides(targets or [])
    _check_usage(targets, results, folds, against)
    from mmpipe.evaluate.evaluation import Evaluation
    from mmpipe.evaluate.resample import Resampling
    from mmpipe.evaluate.task import Wishes
    from mmpipe.evaluate.verdict import n_troubled
    from mmpipe.evaluate.wording import troubles
    from mmpipe.metrics.extras import need
    from mmpipe.plugins import get_plugins

    for path in (output, report):
        _check_output(path, is_forced=force)
    if report is not None:
        need("matplotlib", "a report with plots", "plots")
    job = Evaluation(
        get_plugins(),
        Wishes(gold=option_by_name(gold, "--gold"), metrics=_pairs(metric, "--metric"), labels=labels_by_name(labels)),
        Resampling(n_resamples, confidence, seed),
        by=tuple(by or ()),
        n_worst=worst,
        limit=limit,
        batch_size=batch_size,
        device=device,
        text_key=text_key,
        reader=reader,
    )
    with progress_bar() as on_batch:
        if folds is not None:
            found = job.of_folds(targets[0], targets[1:], folds, overrides, on_batch)
        elif results is not None:
            found = job.of_results(results, targets, against, on_batch)
        else:
            found = job.of_pipeline(targets[0], targets[1:], overrides, against, on_batch)
    _write(found, output, report)
    if as_json:
        print(_as_json(found))
    else:
        from rich.console import Console

        from mmpipe.evaluate.table import show

        show(found, Console(markup=False, highlight=False))
    for sentence in troubles(found):
        print(sentence, file=sys.stderr)
    raise typer.Exit(ExitCode.SOME_FAILED if n_troubled(found) else ExitCode.OK)


evaluate.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]


def _check_usage(targets: list[str], results: str | None, folds: int | None, against: str | None) -> None:
    if results is not None and folds is not None:
        raise typer.BadParameter("--folds trains, and --results has been written already: use one of them")
    if folds is not None and against is not None:
        raise typer.BadParameter("--against compares what is there already: use it without --folds")
    if results is None and len(targets) < 1:
        raise typer.BadParameter("name a PIPELINE and GOLD, or --results")
    if results is None and folds is None and len(targets) < 2:
        raise typer.BadParameter("name GOLD: a file of records that hold what is right")
    if folds is not None and len(targets) < 2:
        raise typer.BadParameter("name GOLD: the records to train and judge on in turn")


def option_by_name(given: list[str] | None, option: str) -> dict[str, str]:
    """`["qa=gold", "label"]` -> `{"qa": "gold", "": "label"}`"""
    return dict(_split(one, option) if "=" in one else ("", one) for one in given or ())


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    return dict(_split(one, option) for one in given or ())


def labels_by_name(given: list[str] | None) -> dict[str, dict[str, str]]:
    """`["tone:0=bad,1=good"]` -> `{"tone": {"0": "bad", "1": "good"}}`"""
    found: dict[str, dict[str, str]] = {}
    for one in given or ():
        name, colon, rest = one.partition(":")
        if not colon or "=" in name:
            name, rest = "", one
        found.setdefault(name, {}).update(_split(pair, "--labels") for pair in rest.split(","))
    return found


def _split(pair: str, option: str) -> tuple[str, str]:
    name, sign, value = pair.partition("=")
    if not sign or not name.strip():
        raise typer.BadParameter(f"{option} takes NAME=VALUE, got {pair!r}")
    return name.strip(), value.strip()


def _check_output(path: Path | None, *, is_forced: bool) -> None:
    from mmpipe.corpus.output import check_file

    if path is not None:
        check_file(path, is_forced=is_forced)


def _write(found: Mapping[str, Any], output: Path | None, report: Path | None) -> None:
    from mmpipe.corpus.durable import whole_file

    if output is not None:
        with whole_file(output) as stream:
            stream.write((_as_json(found) + "\n").encode())
    if report is not None:
        from mmpipe.evaluate.report import html

        drawn = html(found).encode("utf-8", "replace")
        with whole_file(report) as stream:
            stream.write(drawn)


def _as_json(found: Mapping[str, Any]) -> str:
    text = json.dumps(found, ensure_ascii=False, indent=2)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(found, indent=2)  # Half a surrogate pair is no text, but JSON can spell it.
    return text


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda n_done, n_all: None
        return
    columns: list[Any] = [TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda n_done, n_all: bar.update(task, completed=n_done, total=n_all)
