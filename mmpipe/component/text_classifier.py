"""The base of components that learn to classify: over a checkpoint of their own, or over an encoder they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe.component.class_gold import find_labels, gold_of, targets
from mmpipe.component.classifier import ClassifierPipe
from mmpipe.errors import ConfigError, ModelError
from mmpipe.models import classifier, listener
from mmpipe.models.classifier import Classification
from mmpipe.models.transformer import is_on_disk

if TYPE_CHECKING:
    from torch import Tensor


class TextClassifierPipe(ClassifierPipe):
    """A ClassifierPipe around a `mmpipe.SequenceClassifier.v1` or a `mmpipe.ListenerClassifier.v1`.

    multi_label: whether a text may have several labels, or none: a sigmoid for each label in place of a softmax over
        all. None: what the checkpoint says. A new head is trained where the checkpoint's is of the other kind.

    The gold is `cats` of the reference document, of which those count that begin with `cats_prefix`; where it has none,
    `label` of its record: a label, a list of those that hold, or a dict of label -> probability. Other parameters: see
    ClassifierPipe.

    Raises ConfigError for settings that a model which listens does not serve.
    """

    def __init__(
        self, vocab: Vocab, model: Model, name: str, *, field: str, multi_label: bool | None = None, **cfg: Any
    ) -> None:
        if listener.listens(model):
            _refuse_for_listener(name, per_sentence=cfg.get("per_sentence"), multi_label=multi_label)
        super().__init__(vocab, model, name, field=field, multi_label=multi_label, **cfg)

    @property
    def labels(self) -> tuple[str, ...]:
        """The checkpoint's. Empty where it is not on this disk: spaCy asks even before `from_disk` has found it."""
        if listener.listens(self.model):
            return tuple(listener.labels_of(self.model))
        return tuple(classifier.labels(self.model)) if is_on_disk(self.model) else ()

    @property
    def is_multi_label(self) -> bool:
        """Whether the model gives a probability to each label on its own.

        Raises ModelError where the checkpoint is not of the kind that the setting `multi_label` names.
        """
        wanted = self.cfg["multi_label"]
        found = not listener.listens(self.model) and classifier.is_multi_label(self.model)
        if wanted is not None and wanted != found and len(self.labels) > 1:
            kinds = {True: "one or several labels", False: "exactly one label"}
            raise ModelError(
                f"the checkpoint gives a text {kinds[found]}, and multi_label = {str(wanted).lower()} asks for "
                f"{kinds[wanted]}",
                where=f"components.{self.name}.multi_label",
                next_step="leave the setting out, or train the component: it then gets a new head",
            )
        return found

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
        if not found and (cats := sorted({str(name) for example in get_examples() for name in example.reference.cats})):
            raise ConfigError(
                f"no label of the training corpus begins with {self.cfg['cats_prefix']!r}: its `cats` are "
                f"{', '.join(cats[:12])}",
                where=f"components.{self.name}.cats_prefix",
                next_step='set cats_prefix = "" where they are for this component',
            )
        if listener.listens(self.model):
            self._check_gold(get_examples())
            listener.start(self.model, [example.predicted for example in islice(get_examples(), 10)], found)
            return
        if found:
            classifier.set_labels(self.model, found, is_multi_label=self.cfg["multi_label"])
        super().initialize(get_examples, nlp=nlp)

    def has_gold(self, example: Example) -> bool:
        """Whether the example has labels; none at all teaches a model that gives one or several, too."""
        gold = gold_of(example, self.cfg["cats_prefix"])
        is_multi_label = not listener.listens(self.model) and classifier.is_multi_label(self.model)
        return gold is not None and (is_multi_label or any(gold.values()))

    def loss(self, examples: Sequence[Example]) -> Tensor:
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
        """As ClassifierPipe's; a model that listens reads whole documents."""
        if listener.listens(self.model):
            return [[found] for found in listener.classify(self.model, list(docs))]
        return super().predict(docs)


def _refuse_for_listener(name: str, *, per_sentence: bool | None, multi_label: bool | None) -> None:
    faults = {"per_sentence": "reads whole documents, not sentences", "multi_label": "gives a text exactly one label"}
    for setting, is_asked in (("per_sentence", per_sentence), ("multi_label", multi_label)):
        if is_asked:
            raise ConfigError(
                f"a shared encoder {faults[setting]}",
                where=f"components.{name}.{setting}",
                next_step="set it to false, or give the component a checkpoint of its own",
            )
