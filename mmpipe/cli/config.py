"""`mmpipe config`"""

from __future__ import annotations

import typer

from mmpipe.cli.options import WITH_OVERRIDES, PipelineArgument, only_overrides, quiet


def config(context: typer.Context, pipeline: PipelineArgument) -> None:
    """Print a pipeline's config with every default filled in, as spaCy and mmpipe will load it."""
    quiet()
    overrides = only_overrides(context.args)
    from mmpipe.loading import load

    # spaCy's own defaults refer to each other: ${system.seed}.
    print(load(pipeline, overrides, weights=False).config.interpolate().to_str())


config.context_settings = WITH_OVERRIDES  # type: ignore[attr-defined]
