"""The spaCy factory `mmpipe_qa`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from spacy.language import Language
from thinc.api import Model

if TYPE_CHECKING:
    from mmpipe_qa.component import QuestionAnswering

DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe.SpanExtractor.v1", "name": "mmpipe/qa-small"},
    "questions": [],
    "field": "answers",
    "top_k": 1,
    "max_answer_tokens": 15,
    "no_answer_threshold": "auto",
    "align_to_words": True,
    "compare": "no_answer",
    "spans_key": "answers",
    "save_weights": True,
}


@Language.factory("mmpipe_qa", assigns=["doc._.answers", "doc.spans"], default_config=DEFAULTS)
def make_qa(
    nlp: Language,
    name: str,
    model: Model,
    questions: list[str],
    field: str,
    top_k: Annotated[int, Field(ge=1)],
    max_answer_tokens: Annotated[int, Field(ge=1)],
    no_answer_threshold: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] | None,
    align_to_words: bool,
    compare: Literal["no_answer", "window"],
    spans_key: str,
    save_weights: bool,
) -> QuestionAnswering:
    """A QuestionAnswering component; see there for the settings."""
    from mmpipe_qa.component import QuestionAnswering  # brings torch

    return QuestionAnswering(
        nlp.vocab,
        model,
        name,
        questions=questions,
        field=field,
        top_k=top_k,
        max_answer_tokens=max_answer_tokens,
        no_answer_threshold=no_answer_threshold,
        align_to_words=align_to_words,
        compare=compare,
        spans_key=spans_key,
        save_weights=save_weights,
    )
