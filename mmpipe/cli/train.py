"""`mmpipe train`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import WITH_OVERRIDES, DeviceOption, only_overrides, quiet


def train(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A training config of spaCy's: .cfg, .toml, .yaml or .json.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Gets model-best, model-last and the logs.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in DIR.")] = False,
    force: Annotated[bool, typer.Option("--force", "-F", help="Replace an older training in DIR.")] = False,
    device: DeviceOption = None,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints; each evaluation writes one, too.")
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="On a GPU: only algorithms that repeat exactly, which are slower.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events to DIR.")] = False,
) -> None:
    """Train a pipeline: spaCy's config and loop, with corpora of JSON lines, checkpoints and a learning curve.

    What the config leaves out is filled in. Kill it at any moment and run it again with --resume: the result is
    that of a training never interrupted. Any setting can be overridden: --training.max_steps=500
    """
    quiet()
    overrides = only_overrides(context.args)
    if output is None and (resume or tensorboard):
        raise typer.BadParameter("--resume and --tensorboard need --output DIR")
    from mmpipe.errors import ConfigError
    from mmpipe.loading import spacy_entry_points, use_device
    from mmpipe.plugins import get_plugins
    from mmpipe.train.checkpoint import FOLDER
    from mmpipe.train.config import read_training
    from mmpipe.train.session import BEST, LAST
    from mmpipe.train.session import train as run

    plugins = get_plugins()
    older = [*(output / name for name in (BEST, LAST)), *(output / FOLDER).glob("*")] if output is not None else []
    if not resume and not force and any(path.exists() for path in older):
        raise ConfigError(
            "holds an older training", where=str(output), next_step="go on with --resume, or replace it with --force"
        )
    with spacy_entry_points(plugins):
        pipeline = read_training(config, overrides, plugins)
        pipeline.raise_faults()
        use_device(pipeline.config, device)
        if deterministic:
            _repeat_exactly()
        try:
            done = run(pipeline, output, is_resumed=resume, save_every=save_every, has_tensorboard=tensorboard)
        except KeyboardInterrupt:
            hint = f"; --resume goes on from the last checkpoint in {output}" if output is not None else ""
            print(f"interrupted{hint}", file=sys.stderr)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    saved = f"; saved to {output / BEST} and {output / LAST}" if output is not None else "; nothing was saved (-o DIR)"
    # spaCy counts from 0 and ends when max_steps has been done: --training.max_steps=20 is 21 updates.
    told = f"best score {done.best_score:.4f} at step {done.best_step} of 0 to {done.n_steps - 1}{saved}"
    print(f"{done.n_steps:,} updates in {done.seconds:.0f} s: {told}", file=sys.stderr)


train.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]


def _repeat_exactly() -> None:
    import os

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
