"""The component: classes of documents, and of sentences by option."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe import ConfigError
from mmpipe.component import TransformerPipe, sentences
from mmpipe.models import classifier, listener
from mmpipe.models.classifier import Classification, labels
from mmpipe.models.transformer import is_on_disk
from mmpipe_sentiment.gold import find_labels, gold_of, targets


class Sentiment(TransformerPipe):
    """Writes `doc._.sentiment = {label, score, scores, coverage}` and the scores to `doc.cats`.

    label: the most probable label; score: its probability (0 to 1); scores: every label's; coverage: the share
    of the text that the model read (0 to 1). A text with nothing to read has label None and scores of 0.0.

    field: the name of the `doc._` extension.
    per_sentence: also classify each sentence, into `doc.spans[spans_key]` (label the class, `attrs["scores"]`
        the probabilities) and `sentences` of the result: a list of {start, end, label, score}, in characters.
    cats_prefix: put before the labels in `doc.cats`, so that two classifiers can share it.
    spans_key: the key of `doc.spans` that classified sentences go to.
    save_weights: see TransformerPipe.
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
        name: str = "sentiment",
        *,
        field: str = "sentiment",
        per_sentence: bool = False,
        cats_prefix: str = "",
        spans_key: str = "sentiment",
        save_weights: bool = True,
    ) -> None:
        if per_sentence and listener.listens(model):
            raise ConfigError(
                "a shared encoder reads whole documents, not sentences",
                where=f"components.{name}.per_sentence",
                next_step="set it to false, or give the component a checkpoint of its own",
            )
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            save_weights=save_weights,
            per_sentence=per_sentence,
            cats_prefix=cats_prefix,
            spans_key=spans_key,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The checkpoint's. Empty where it is not on this disk: spaCy asks even before `from_disk` has found it."""
        if listener.listens(self.model):
            return tuple(listener.labels_of(self.model))
        return tuple(labels(self.model)) if is_on_disk(self.model) else ()

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
    ) -> None:
        """Start training. The model keeps its head if that has all labels; otherwise a new one is trained.

        labels: in the order of the new head's; those of the examples, sorted, when None.
        Raises ConfigError where no example has a label; ModelError where the weights cannot be found.
        """
        found = labels or find_labels(get_examples(), self.cfg["cats_prefix"])
        if listener.listens(self.model):
            self._check_gold(get_examples())
            listener.start(self.model, [example.predicted for example in islice(get_examples(), 10)], found)
            return
        if found:
            classifier.set_labels(self.model, found)
        super().initialize(get_examples, nlp=nlp)

    def has_gold(self, example: Example) -> bool:
        return bool(gold_of(example, self.cfg["cats_prefix"]))

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """See mmpipe.models.classifier.loss. Raises RecordError for a label that the model does not have."""
        wanted = targets(examples, self.labels, self.cfg["cats_prefix"])
        return classifier.loss(self.model, [example.predicted.text for example in examples], wanted)

    def get_loss(self, examples: Iterable[Example], scores: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean cross-entropy, and the gradient of its sum, of a model that listens; see LearningPipe.update."""
        examples = list(examples)
        wanted = targets(examples, self.labels, self.cfg["cats_prefix"])
        has_gold = wanted.sum(1, keepdims=True) > 0
        loss = -(wanted * np.log(np.maximum(scores, 1e-12))).sum() / max(int(has_gold.sum()), 1)
        return float(loss), (scores - wanted) * has_gold

    def predict(self, docs: Iterable[Doc]) -> list[list[Classification]]:
        """A document's own classification first, then those of its sentences if they are wanted."""
        if listener.listens(self.model):
            return [[found] for found in listener.classify(self.model, list(docs))]
        texts = [[doc.text, *(sent.text for sent in self._sentences(doc))] for doc in docs]
        flat = iter(self.model.predict([text for of_doc in texts for text in of_doc]))
        return [[next(flat) for _ in of_doc] for of_doc in texts]

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[list[Classification]]) -> None:
        for doc, (whole, *parts) in zip(docs, predictions, strict=True):
            result = self._result(whole) | {"coverage": whole.coverage}
            doc.cats.update({self.cfg["cats_prefix"] + label: score for label, score in result["scores"].items()})
            if self.cfg["per_sentence"]:
                result["sentences"] = self._annotate_sentences(doc, parts)
            doc._.set(self.field, result)

    def _annotate_sentences(self, doc: Doc, parts: Sequence[Classification]) -> list[dict[str, Any]]:
        results = [self._result(part) for part in parts]
        sents = self._sentences(doc)
        spans = [
            Span(doc, sent.start, sent.end, label=result["label"] or "")
            for sent, result in zip(sents, results, strict=True)
        ]
        attrs = {"scores": [result["score"] for result in results]}
        doc.spans[self.cfg["spans_key"]] = SpanGroup(doc, name=self.cfg["spans_key"], attrs=attrs, spans=spans)
        return [
            {
                "start": sent.start_char,
                "end": sent.end_char,
                "label": result["label"],
                "score": result["score"],
            }
            for sent, result in zip(sents, results, strict=True)
        ]

    def _sentences(self, doc: Doc) -> list[Span]:
        return sentences(doc) if self.cfg["per_sentence"] else []

    def _result(self, prediction: Classification) -> dict[str, Any]:
        if prediction.probabilities is None:
            return {"label": None, "score": 0.0, "scores": dict.fromkeys(self.labels, 0.0)}
        scores = {label: float(p) for label, p in zip(self.labels, prediction.probabilities, strict=True)}
        best = int(np.argmax(prediction.probabilities))
        return {"label": self.labels[best], "score": float(prediction.probabilities[best]), "scores": scores}
