"""The spaCy factory `mmpipe_explain`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from spacy.language import Language

if TYPE_CHECKING:
    from mmpipe_explain.component import Explain

DEFAULTS: dict[str, Any] = {
    "of": None,
    "method": "integrated_gradients",
    "unit": "token",
    "baseline": "auto",
    "score": "margin",
    "n_steps": 32,
    "max_steps": 256,
    "tolerance": 0.01,
    "labels": None,
    "min_score": 0.0,
    "batch_tokens": None,
    "field": "explanations",
}


@Language.factory("mmpipe_explain", assigns=["doc._.explanations"], default_config=DEFAULTS)
def make_explain(
    nlp: Language,
    name: str,
    of: list[str] | None,
    method: Literal["integrated_gradients", "gradient_x_input", "occlusion"],
    unit: Literal["token", "word", "piece", "sentence"],
    baseline: Literal["auto", "mask", "pad", "zero", "delete"],
    score: Literal["margin", "logit"],
    n_steps: Annotated[int, Field(ge=1)],
    max_steps: Annotated[int, Field(ge=1)],
    tolerance: Annotated[float, Field(gt=0)],
    labels: list[str] | None,
    min_score: Annotated[float, Field(ge=0, le=1)],
    batch_tokens: Annotated[int, Field(ge=1)] | None,
    field: str,
) -> Explain:
    """An Explain component; see there and mmpipe_explain.options for the settings."""
    from mmpipe.component import ensure_sentences
    from mmpipe_explain.component import Explain  # brings torch
    from mmpipe_explain.explained import find_explained
    from mmpipe_explain.options import Options

    options = Options(method, unit, baseline, score, n_steps, max_steps, tolerance, batch_tokens)
    options.check(f"components.{name}")
    pipes = find_explained(nlp, name, of)
    if unit == "sentence":
        ensure_sentences(nlp, name)
    return Explain(nlp.vocab, name, pipes, options, labels=labels, min_score=min_score, field=field)
