"""`mmpipe validate`"""

from __future__ import annotations

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.cli.options import WITH_OVERRIDES, PipelineArgument, only_overrides, quiet


def validate(context: typer.Context, pipeline: PipelineArgument) -> None:
    """Check a pipeline without loading weights: prints "valid", or every fault with its place and its mend."""
    quiet()
    overrides = only_overrides(context.args)
    from mmpipe.component.model_place import model_faults
    from mmpipe.config import read_pipeline
    from mmpipe.loading import build, spacy_entry_points
    from mmpipe.plugins import get_plugins

    plugins = get_plugins()
    with spacy_entry_points(plugins):
        found = read_pipeline(pipeline, overrides, plugins)
        faults = found.faults or tuple(model_faults(build(found)))
    for fault in faults:
        print(fault)
    if faults:
        raise typer.Exit(ExitCode.INVALID)
    print("valid")


validate.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]
