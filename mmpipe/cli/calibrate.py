"""`mmpipe calibrate`"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mmpipe.cli.evaluate import labels_by_name, option_by_name, progress_bar
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


def calibrate(
    targets: Annotated[
        list[str], typer.Argument(metavar="PIPELINE DEV...", help="A pipeline, then records with gold to fit on.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Gets the calibrated pipeline.")],
    gold: GoldOption = None,
    labels: LabelsOption = None,
    limit: LimitOption = None,
    batch_size: BatchSizeOption = 256,
    device: DeviceOption = None,
    text_key: TextKeyOption = "text",
    reader: ReaderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    force: Annotated[bool, typer.Option("--force", "-F", help="Replace an older FOLDER.")] = False,
) -> None:
    """Fit the temperature of a pipeline's classifiers on a dev set, and save the pipeline with it.

    Labels and their order stay; the probabilities come nearer to how often they are right. Judge the result on
    other records than those it was fitted on: mmpipe evaluate FOLDER TEST
    """
    quiet()
    targets, overrides = split_overrides(targets)
    if len(targets) < 2:
        raise typer.BadParameter("name a PIPELINE and DEV: records with gold to fit on")
    from mmpipe.errors import MmpipeError
    from mmpipe.evaluate.calibrate import calibrate as fit
    from mmpipe.evaluate.calibrate import listed
    from mmpipe.evaluate.evaluation import Evaluation
    from mmpipe.evaluate.judge import Verdict
    from mmpipe.evaluate.resample import Resampling
    from mmpipe.evaluate.task import Wishes
    from mmpipe.evaluate.verdict import describe, n_troubled
    from mmpipe.evaluate.wording import troubles
    from mmpipe.plugins import get_plugins

    if output.exists() and not force:
        raise MmpipeError("exists already", where=str(output), next_step="name another -o, or use --force")
    job = Evaluation(
        get_plugins(),
        Wishes(gold=option_by_name(gold, "--gold"), metrics={}, labels=labels_by_name(labels)),
        Resampling(n=0),
        limit=limit,
        batch_size=batch_size,
        device=device,
        text_key=text_key,
        reader=reader,
    )
    with progress_bar() as on_batch:
        nlp, verdict = job.verdict_on(targets[0], targets[1:], overrides, on_batch)
    found = fit(nlp, verdict)
    nlp.to_disk(output)
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
    else:
        print(listed(found))
    print(f"saved to {output}", file=sys.stderr)
    fitted = {one.component for one in found}
    used = Verdict([judged for judged in verdict.judgements if judged.task.name in fitted], verdict.items)
    told = describe(used, job.resampling, n_worst=0)
    for sentence in troubles(told):
        print(sentence, file=sys.stderr)
    raise typer.Exit(ExitCode.SOME_FAILED if n_troubled(told) else ExitCode.OK)


calibrate.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]
