"""The base of components that say what class a text is of: documents, and their sentences by option."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe.component import TransformerPipe, sentences
from mmpipe.models.classifier import Classification


class ClassifierPipe(TransformerPipe):
    """Writes `doc._.<field> = {label, score, scores, coverage}` and the scores to `doc.cats`.

    label: the most probable label; score: its probability (0 to 1); scores: every label's; coverage: the share
    of the text that the model read (0 to 1). A text with nothing to read has label None and scores of 0.0.

    field: the name of the `doc._` extension.
    per_sentence: also classify each sentence, into `doc.spans[spans_key]` (label the class, `attrs["scores"]`
        the probabilities) and `sentences` of the result: a list of {start, end, label, score}, in characters.
    cats_prefix: put before the labels in `doc.cats`, so that two classifiers can share it.
    save_weights, cfg: see TransformerPipe.

    A subclass says what its `labels` are, and overrides `classify` where its model takes more than texts, and
    `result` where it says more of a text.
    """

    metric = "classification"
    result_type: ClassVar[Any] = {
        "label": "string",
        "score": "float",
        "scores": {"*": "float"},
        "coverage": "float",
        "sentences": "json",
    }

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        field: str,
        per_sentence: bool = False,
        cats_prefix: str = "",
        spans_key: str = "sentences",
        save_weights: bool = True,
        **cfg: Any,
    ) -> None:
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            save_weights=save_weights,
            per_sentence=per_sentence,
            cats_prefix=cats_prefix,
            spans_key=spans_key,
            **cfg,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the model's probabilities; empty where nobody knows them yet."""
        raise NotImplementedError(f"{type(self).__name__} must define labels")

    def classify(self, texts: list[str]) -> list[Classification]:
        """What the model says of each text, in order."""
        return self.model.predict(texts)

    def result(self, found: Classification) -> dict[str, Any]:
        """What is written of one text, a document's or a sentence's: at least label, score and scores."""
        labels = self.labels
        if found.probabilities is None:
            return {"label": None, "score": 0.0, "scores": dict.fromkeys(labels, 0.0)}
        scores = {label: float(p) for label, p in zip(labels, found.probabilities, strict=True)}
        best = int(np.argmax(found.probabilities))
        return {"label": labels[best], "score": float(found.probabilities[best]), "scores": scores}

    def predict(self, docs: Iterable[Doc]) -> list[list[Classification]]:
        """A document's own classification first, then those of its sentences if they are wanted."""
        texts = [[doc.text, *(sent.text for sent in self._sentences(doc))] for doc in docs]
        flat = iter(self.classify([text for of_doc in texts for text in of_doc]))
        return [[next(flat) for _ in of_doc] for of_doc in texts]

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[list[Classification]]) -> None:
        for doc, (whole, *parts) in zip(docs, predictions, strict=True):
            result = self.result(whole) | {"coverage": whole.coverage}
            doc.cats.update({self.cfg["cats_prefix"] + label: score for label, score in result["scores"].items()})
            if self.cfg["per_sentence"]:
                result["sentences"] = self._annotate_sentences(doc, parts)
            doc._.set(self.field, result)

    def _annotate_sentences(self, doc: Doc, parts: Sequence[Classification]) -> list[dict[str, Any]]:
        both = list(zip(self._sentences(doc), map(self.result, parts), strict=True))
        spans = [Span(doc, sent.start, sent.end, label=result["label"] or "") for sent, result in both]
        attrs = {"scores": [result["score"] for _, result in both]}
        doc.spans[self.cfg["spans_key"]] = SpanGroup(doc, name=self.cfg["spans_key"], attrs=attrs, spans=spans)
        return [
            {"start": sent.start_char, "end": sent.end_char}
            | {key: value for key, value in result.items() if key != "scores"}
            for sent, result in both
        ]

    def _sentences(self, doc: Doc) -> list[Span]:
        return sentences(doc) if self.cfg["per_sentence"] else []
