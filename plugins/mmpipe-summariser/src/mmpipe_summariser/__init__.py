"""Summaries for mmpipe: the component `mmpipe_summariser` and the model `mmpipe/summary-small`."""

from collections.abc import Iterable
from pathlib import Path

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec(
        "mmpipe_summariser",
        "mmpipe_summariser.factory",
        "summary of a document, of its own sentences or written",
    )


@mmpipe.hookimpl
def mmpipe_models() -> Iterable[mmpipe.ModelSpec]:
    yield mmpipe.ModelSpec(
        "mmpipe/summary-small",
        Path(__file__).parent / "models" / "summary-small",
        licence="for research: trained on BBC News Summary, see card",
        summary="picks sentences, English",
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["sentencizer", "summary"]},
        "components": {
            "sentencizer": {"factory": "sentencizer"},
            "summary": {"factory": "mmpipe_summariser"},
        },
    }
    yield mmpipe.PipelineSpec("summary", config, "English extractive summaries on the shipped model")
