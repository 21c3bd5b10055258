"""The spaCy factory `mmpipe_caption`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from spacy.language import Language
from thinc.api import Model

from mmpipe.media.policy import MAX_BYTES, MAX_PIXELS, TIMEOUT_SECONDS

if TYPE_CHECKING:
    from mmpipe_multimodal.component import Caption

DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe.ImageToText.v1", "name": "mmpipe/caption-small"},
    "field": "captions",
    "as_text": False,
    "roots": [],
    "allow_urls": False,
    "max_bytes": MAX_BYTES,
    "max_pixels": MAX_PIXELS,
    "timeout_seconds": TIMEOUT_SECONDS,
    "save_weights": True,
}


@Language.factory(
    "mmpipe_caption",
    assigns=["doc._.captions"],
    default_config=DEFAULTS,
)
def make_caption(
    nlp: Language,
    name: str,
    model: Model,
    field: str,
    as_text: bool,
    roots: list[str],
    allow_urls: bool,
    max_bytes: Annotated[int, Field(ge=1)],
    max_pixels: Annotated[int, Field(ge=1)],
    timeout_seconds: Annotated[float, Field(gt=0)],
    save_weights: bool,
) -> Caption:
    """A Caption component; see there for the settings."""
    from mmpipe_multimodal.component import Caption  # brings torch

    return Caption(
        nlp.vocab,
        model,
        name,
        make_doc=nlp.make_doc,
        field=field,
        as_text=as_text,
        roots=roots,
        allow_urls=allow_urls,
        max_bytes=max_bytes,
        max_pixels=max_pixels,
        timeout_seconds=timeout_seconds,
        save_weights=save_weights,
    )
