"""Images for mmpipe: the component `mmpipe_caption` and the model `mmpipe/caption-small`."""

from collections.abc import Iterable
from pathlib import Path

import mmpipe

api_version = 1


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec("mmpipe_caption", "mmpipe_multimodal.factory", "captions of a record's images")


@mmpipe.hookimpl
def mmpipe_models() -> Iterable[mmpipe.ModelSpec]:
    yield mmpipe.ModelSpec(
        "mmpipe/caption-small",
        Path(__file__).parent / "models" / "caption-small",
        licence="research and education only (trained on Flickr8k), see card",
        summary="captions of photographs, English",
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["caption"]},
        "components": {"caption": {"factory": "mmpipe_caption"}},
    }
    yield mmpipe.PipelineSpec("caption", config, "English captions of images on the shipped model")
