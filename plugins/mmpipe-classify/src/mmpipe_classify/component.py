"""The components: topics by labels alone, and labels that are learned. Both write results of one shape."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, ClassVar

from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe import ConfigError
from mmpipe.component.classifier import ClassifierPipe
from mmpipe.component.text_classifier import TextClassifierPipe
from mmpipe.models.classifier import Classification
from mmpipe_classify.choice import Threshold, check_choice, check_names, choose
from mmpipe_classify.topics import Label, Topics, check_template, read_labels


class TopicPipe(ClassifierPipe):
    """Writes `doc._.topics = {label, score, labels, scores, coverage}` and the scores to `doc.cats`.

    labels: those that reach their threshold, the best first; label and score: the first of them, None and 0.0 where
    there is none. scores: every label's, 0 to 1. The rest is as ClassifierPipe has it; each sentence has `labels`, too.

    threshold, top_k: see mmpipe_classify.choice.
    """

    result_type: ClassVar[Any] = {
        "label": "string",
        "score": "float",
        "labels": ["string"],
        "scores": {"*": "float"},
        "coverage": "float",
        "sentences": "json",
    }
    is_multi_label: bool

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        threshold: Threshold = None,
        top_k: int | None = None,
        **cfg: Any,
    ) -> None:
        check_choice(threshold, top_k, f"components.{name}")
        super().__init__(vocab, model, name, threshold=threshold, top_k=top_k, **cfg)

    def result(self, found: Classification) -> dict[str, Any]:
        """What is written of one text."""
        scores = super().result(found)["scores"]
        labels: list[str] = []
        if found.probabilities is not None:
            labels = choose(scores, self.cfg["threshold"], self.cfg["top_k"], is_multi_label=self.is_multi_label)
        best = labels[0] if labels else None
        return {"label": best, "score": scores[best] if best else 0.0, "labels": labels, "scores": scores}

    def predict(self, docs: Iterable[Doc]) -> list[list[Classification]]:
        """As ClassifierPipe's. Raises ConfigError for a threshold of a label that is not there."""
        check_names(self.cfg["threshold"], self.labels, f"components.{self.name}")
        return super().predict(docs)


class ZeroShot(TopicPipe):
    """Weighs labels that it is given, and has learned nothing of, by a model that takes `Topics`.

    labels: see mmpipe_classify.topics.read_labels. multi_label: each label is weighed on its own, so that a text may
        have several or none; so is a single label in any case. hypothesis_template: see Topics.
    Raises ConfigError for labels or a template that cannot be used, or a model of another kind.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        labels: Any,
        multi_label: bool,
        hypothesis_template: str,
        **cfg: Any,
    ) -> None:
        where = f"components.{name}"
        found = read_labels(labels, f"{where}.labels")
        check_template(hypothesis_template, f"{where}.hypothesis_template")
        check_names(cfg.get("threshold"), [label.name for label in found], where)
        if not model.attrs.get("takes_topics"):
            raise ConfigError(
                f"{model.name} does not weigh labels that it is given",
                where=f"{where}.model",
                next_step='set @architectures = "mmpipe_classify.Embeddings.v1" or "mmpipe_classify.Entailment.v1", '
                'or factory = "mmpipe_text_classifier" for a checkpoint with labels of its own',
            )
        if not model.attrs["takes_examples"] and any(label.examples for label in found):
            raise ConfigError(
                "a natural language inference model makes no use of examples",
                where=f"{where}.labels",
                next_step="describe the labels, or use mmpipe_classify.Embeddings.v1",
            )
        self._read: tuple[Any, tuple[Label, ...]] | None = None
        super().__init__(
            vocab,
            model,
            name,
            labels=labels,
            multi_label=multi_label,
            hypothesis_template=hypothesis_template,
            **cfg,
        )

    @property
    def topics(self) -> Topics:
        """What the model is asked."""
        given = self.cfg["labels"]
        # Loading a saved pipeline replaces settings.
        if self._read is None or self._read[0] != given:
            self._read = (copy.deepcopy(given), read_labels(given, f"components.{self.name}.labels"))
        labels = self._read[1]
        return Topics(labels, self.cfg["hypothesis_template"], self.cfg["multi_label"] or len(labels) == 1)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.topics.names

    @property
    def is_multi_label(self) -> bool:  # type: ignore[override]
        return self.topics.is_multi_label

    def classify(self, texts: list[str]) -> list[Classification]:
        return self.model.predict((texts, self.topics))


class TopicClassifier(TopicPipe, TextClassifierPipe):
    """Gives the labels that its model has learned; see TextClassifierPipe for the model and how it learns."""

    def __init__(self, vocab: Vocab, model: Model, name: str, **cfg: Any) -> None:
        if model.attrs.get("takes_topics"):
            raise ConfigError(
                f"{model.name} learns nothing",
                where=f"components.{name}.model",
                next_step='set factory = "mmpipe_zero_shot", or @architectures = "mmpipe.SequenceClassifier.v1"',
            )
        super().__init__(vocab, model, name, **cfg)
