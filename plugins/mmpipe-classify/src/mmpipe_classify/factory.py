"""The spaCy factories. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spacy.language import Language
from thinc.api import Model

from mmpipe_classify import TOPICS

if TYPE_CHECKING:
    from mmpipe_classify.component import TopicClassifier, ZeroShot

_COMMON: dict[str, Any] = {
    "field": "topics",
    "threshold": None,
    "top_k": None,
    "per_sentence": False,
    "cats_prefix": "topic_",
    "spans_key": "topics",
    "save_weights": True,
}
_ASSIGNS = ["doc._.topics", "doc.cats", "doc.spans"]
_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"

ZERO_SHOT_DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe_classify.Embeddings.v1", "name": _ENCODER},
    # A list, for the labels of a config would join those of a dict.
    "labels": [{"name": name, "description": said} for name, said in TOPICS.items()],
    "multi_label": False,
    "hypothesis_template": "This text is about {}.",
    **_COMMON,
}
CLASSIFIER_DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe.SequenceClassifier.v1", "name": _ENCODER},
    "multi_label": None,
    **_COMMON,
}


@Language.factory("mmpipe_zero_shot", assigns=_ASSIGNS, default_config=ZERO_SHOT_DEFAULTS)
def make_zero_shot(
    nlp: Language,
    name: str,
    model: Model,
    labels: list[str | dict[str, Any]] | dict[str, str | list[str] | dict[str, Any]],
    multi_label: bool,
    hypothesis_template: str,
    field: str,
    threshold: float | dict[str, float] | None,
    top_k: int | None,
    per_sentence: bool,
    cats_prefix: str,
    spans_key: str,
    save_weights: bool,
) -> ZeroShot:
    """A ZeroShot component; see there for the settings."""
    from mmpipe.component import ensure_sentences
    from mmpipe_classify.component import ZeroShot  # brings torch

    if per_sentence:
        ensure_sentences(nlp, name)
    return ZeroShot(
        nlp.vocab,
        model,
        name,
        labels=labels,
        multi_label=multi_label,
        hypothesis_template=hypothesis_template,
        field=field,
        threshold=threshold,
        top_k=top_k,
        per_sentence=per_sentence,
        cats_prefix=cats_prefix,
        spans_key=spans_key,
        save_weights=save_weights,
    )


@Language.factory("mmpipe_text_classifier", assigns=_ASSIGNS, default_config=CLASSIFIER_DEFAULTS)
def make_text_classifier(
    nlp: Language,
    name: str,
    model: Model,
    multi_label: bool | None,
    field: str,
    threshold: float | dict[str, float] | None,
    top_k: int | None,
    per_sentence: bool,
    cats_prefix: str,
    spans_key: str,
    save_weights: bool,
) -> TopicClassifier:
    """A TopicClassifier component; see there for the settings."""
    from mmpipe.component import ensure_sentences
    from mmpipe_classify.component import TopicClassifier  # brings torch

    if per_sentence:
        ensure_sentences(nlp, name)
    return TopicClassifier(
        nlp.vocab,
        model,
        name,
        multi_label=multi_label,
        field=field,
        threshold=threshold,
        top_k=top_k,
        per_sentence=per_sentence,
        cats_prefix=cats_prefix,
        spans_key=spans_key,
        save_weights=save_weights,
    )
