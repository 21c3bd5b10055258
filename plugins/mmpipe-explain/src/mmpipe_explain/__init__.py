"""Explanations for mmpipe: the component `mmpipe_explain`, and pages that show what it found."""

from collections.abc import Iterable

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec(
        "mmpipe_explain", "mmpipe_explain.factory", "which words speak for a label, or for an answer"
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["sentiment", "explain"]},
        "components": {"sentiment": {"factory": "mmpipe_sentiment"}, "explain": {"factory": "mmpipe_explain"}},
    }
    yield mmpipe.PipelineSpec("explained-sentiment", config, "English sentiment, with what each word did for it")


@mmpipe.hookimpl
def mmpipe_commands() -> Iterable[mmpipe.CommandSpec]:
    yield mmpipe.CommandSpec("explain", "mmpipe_explain.command:explain", "Draw which words made labels and answers.")
    yield mmpipe.CommandSpec(
        "explain-check", "mmpipe_explain.deletion:check", "Measure whether removing attributed words changes scores."
    )
