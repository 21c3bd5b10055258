"""The spaCy factory `mmpipe_summariser`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from spacy.language import Language
from thinc.api import Model

if TYPE_CHECKING:
    from mmpipe_summariser.component import Summariser

DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe.SentenceRanker.v1", "name": "mmpipe/summary-small"},
    "field": "summary",
    "n_sentences": None,
    "ratio": None,
    "max_tokens": None,
    "diversity": 0.1,
    "spans_key": "summary",
    "save_weights": True,
}


@Language.factory("mmpipe_summariser", assigns=["doc._.summary", "doc.spans"], default_config=DEFAULTS)
def make_summariser(
    nlp: Language,
    name: str,
    model: Model,
    field: str,
    n_sentences: Annotated[int, Field(ge=1)] | None,
    ratio: Annotated[float, Field(gt=0, le=1)] | None,
    max_tokens: Annotated[int, Field(ge=1)] | None,
    diversity: Annotated[float, Field(ge=0, le=1)],
    spans_key: str,
    save_weights: bool,
) -> Summariser:
    """A Summariser component; see there for the settings."""
    from mmpipe.component import ensure_sentences
    from mmpipe_summariser.component import Summariser, is_extractive  # brings torch

    if is_extractive(model):
        ensure_sentences(nlp, name)
    return Summariser(
        nlp.vocab,
        model,
        name,
        field=field,
        n_sentences=n_sentences,
        ratio=ratio,
        max_tokens=max_tokens,
        diversity=diversity,
        spans_key=spans_key,
        save_weights=save_weights,
    )
