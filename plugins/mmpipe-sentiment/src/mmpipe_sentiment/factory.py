"""The spaCy factory `mmpipe_sentiment`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spacy.language import Language
from thinc.api import Model

if TYPE_CHECKING:
    from mmpipe_sentiment.component import Sentiment

DEFAULTS: dict[str, Any] = {
    "model": {"@architectures": "mmpipe.SequenceClassifier.v1", "name": "mmpipe/sentiment-small"},
    "field": "sentiment",
    "per_sentence": False,
    "cats_prefix": "",
    "spans_key": "sentiment",
    "save_weights": True,
}


@Language.factory("mmpipe_sentiment", assigns=["doc._.sentiment", "doc.cats", "doc.spans"], default_config=DEFAULTS)
def make_sentiment(
    nlp: Language,
    name: str,
    model: Model,
    field: str,
    per_sentence: bool,
    cats_prefix: str,
    spans_key: str,
    save_weights: bool,
) -> Sentiment:
    """A Sentiment component; see there for the settings."""
    from mmpipe.component import ensure_sentences
    from mmpipe_sentiment.component import Sentiment  # brings torch

    if per_sentence:
        ensure_sentences(nlp, name)
    return Sentiment(
        nlp.vocab,
        model,
        name,
        field=field,
        per_sentence=per_sentence,
        cats_prefix=cats_prefix,
        spans_key=spans_key,
        save_weights=save_weights,
    )
