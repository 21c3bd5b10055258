"""How a component around a transformer learns: the training side of spaCy's TrainablePipe, on torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.training import Example, validate_examples
from thinc.api import Optimizer

from mmpipe.document import record_of as stored_record
from mmpipe.errors import ConfigError, ModelError
from mmpipe.models.transformer import has_shim, shim_of

if TYPE_CHECKING:
    from torch import Tensor


class LearningPipe(TrainablePipe):
    """A pipe whose model is one of mmpipe's, or a thinc model that listens to a shared encoder.

    A subclass that can be trained defines `loss`; all else is done here. The rates, the weight decay and the
    clipping come from spaCy's `[training.optimizer]`; what the `training` table of the model block adds stands in
    docs/training.md.
    """

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """The mean loss of the model over examples that have gold: a scalar with its gradient.

        The gold stands in `example.reference._.record`; the model reads `example.predicted`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss(examples)")

    def has_gold(self, example: Example) -> bool:
        """Whether this component can learn from the example. Others are passed over."""
        return bool(record_of(example))

    @property
    def is_trainable(self) -> bool:
        """Whether the component defines a loss and its model can learn."""
        can_learn = type(self).loss is not LearningPipe.loss
        return can_learn and self.model.attrs.get("is_trainable", True)

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Load the weights to train; a head that the checkpoint lacks begins with random ones.

        Raises ConfigError where the examples were read from records and none has gold; ModelError where the weights
        cannot be found or the model's `training` table does not fit them.
        """
        if not self.is_trainable or not has_shim(self.model):
            return
        self._check_gold(get_examples())
        shim_of(self.model).start_training()

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Add the gradient of the loss over a batch, and the loss to `losses[name]`; with `sgd`, update the weights.

        drop: dropout rate, 0 to below 1, which every rate of the checkpoint gets that is not zero. Gradients of several
        batches before one update weigh each example alike, whatever the sizes of the batches.
        Raises ModelError where the loss is not a finite number.
        """
        if not has_shim(self.model):
            return super().update(examples, drop=drop, sgd=sgd, losses=losses)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        if not self.is_trainable:
            return losses
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        taught = [example for example in examples if self.has_gold(example)]
        if taught:
            shim = shim_of(self.model)
            trainer = shim.start_training()
            shim.dropout = drop
            loss = self.loss(taught)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ModelError(
                    f"the loss is {value}",
                    where=f"components.{self.name}",
                    next_step="lower the learn rate, lengthen its warm-up, or set grad_clip = 1.0",
                )
            trainer.backward(loss, len(taught))
            losses[self.name] += value
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def _check_gold(self, examples: Iterable[Example]) -> None:
        keys: set[str] = set()
        for example in examples:
            if self.has_gold(example):
                return
            keys |= record_of(example).keys()
        if keys:
            raise ConfigError(
                "no example of the training corpus has gold for it",
                where=f"components.{self.name}",
                next_step=f"rename a key with `fields` of the corpus (there are {', '.join(sorted(keys)[:12])}), or "
                f"put {self.name!r} into training.frozen_components",
            )


def record_of(example: Example) -> dict[str, Any]:
    """The record behind an example's gold; empty where it was not made of one."""
    return stored_record(example.reference)
