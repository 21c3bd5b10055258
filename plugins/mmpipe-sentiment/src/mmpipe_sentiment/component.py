"""The component: sentiment of documents, and of sentences by option."""

from __future__ import annotations

from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe.component.text_classifier import TextClassifierPipe


class Sentiment(TextClassifierPipe):
    """Writes `doc._.sentiment = {label, score, scores, coverage}` and the scores to `doc.cats`.

    All of it, and how it learns, is the base's: see mmpipe.component.classifier.ClassifierPipe.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "sentiment",
        *,
        field: str = "sentiment",
        per_sentence: bool = False,
        cats_prefix: str = "",
        spans_key: str = "sentiment",
        save_weights: bool = True,
    ) -> None:
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            per_sentence=per_sentence,
            cats_prefix=cats_prefix,
            spans_key=spans_key,
            save_weights=save_weights,
        )
