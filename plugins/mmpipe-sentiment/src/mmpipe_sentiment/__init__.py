"""Sentiment for mmpipe: the component `mmpipe_sentiment` and the model `mmpipe/sentiment-small`."""

from collections.abc import Iterable
from pathlib import Path

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec(
        "mmpipe_sentiment", "mmpipe_sentiment.factory", "sentiment of a document, and of its sentences"
    )


@mmpipe.hookimpl
def mmpipe_models() -> Iterable[mmpipe.ModelSpec]:
    yield mmpipe.ModelSpec(
        "mmpipe/sentiment-small",
        Path(__file__).parent / "models" / "sentiment-small",
        licence="Apache-2.0; trained on data published for research, see card",
        summary="negative or positive, English",
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["sentiment"]},
        "components": {"sentiment": {"factory": "mmpipe_sentiment"}},
    }
    yield mmpipe.PipelineSpec("sentiment", config, "English sentiment on the shipped model")
