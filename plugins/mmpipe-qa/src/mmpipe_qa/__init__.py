"""Question answering for mmpipe: the component `mmpipe_qa` and the model `mmpipe/qa-small`."""

from collections.abc import Iterable
from pathlib import Path

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec("mmpipe_qa", "mmpipe_qa.factory", "answers to questions, as stretches of the document")


@mmpipe.hookimpl
def mmpipe_models() -> Iterable[mmpipe.ModelSpec]:
    yield mmpipe.ModelSpec(
        "mmpipe/qa-small",
        Path(__file__).parent / "models" / "qa-small",
        licence="Apache-2.0; trained on data under several licences, see card",
        summary="answers to English questions, or none",
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["qa"]},
        "components": {"qa": {"factory": "mmpipe_qa"}},
    }
    yield mmpipe.PipelineSpec("qa", config, "answers to the questions of English records, on the shipped model")
