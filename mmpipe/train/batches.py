"""The stream of training batches: spaCy's own, from any place in it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.training import Example

from mmpipe.errors import ConfigError, NoInputError

Corpus = Callable[[Language], Iterable[Example]]
Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


class Batches:
    """What spaCy's `create_train_batches` yields, with a place that can be stored and gone back to.

    max_epochs: 0 or more keeps the corpus in memory and shuffles it anew each epoch (0: without end); -1 reads it
    anew each epoch, without shuffling. examples: what is in memory, in the corpus's order; None for a stream.
    """

    def __init__(self, nlp: Language, corpus: Corpus, batcher: Batcher, max_epochs: int) -> None:
        self._nlp, self._corpus, self._max_epochs = nlp, corpus, max_epochs
        self._batcher, self._schedules = _counted(batcher)
        self._epoch = self._n_batches = 0
        self._start: dict[str, Any] = {}
        self._on_arrival: Callable[[], None] | None = None
        self.examples: list[Example] | None = None
        if max_epochs >= 0:
            self._set_epoch()
            self.examples = list(corpus(nlp))
            if not self.examples:
                raise NoInputError(
                    "the training corpus holds no examples",
                    where="training.train_corpus",
                    next_step="check its path, limit and values",
                )
            self._order = np.arange(len(self.examples))

    def __iter__(self) -> Iterator[tuple[int, list[Example]]]:
        """Epoch and batch, from the place where it stands, to the last epoch.

        Raises NoInputError where an epoch has no batch; ConfigError where the corpus ends before the place to go to.
        """
        while self._max_epochs < 1 or self._epoch < self._max_epochs:
            if not self._start:
                self._shuffle()
                counts = [schedule.count for schedule in self._schedules]
                self._start = {"random": random.getstate(), "schedules": counts}
            random.setstate(self._start["random"])
            batches = iter(self._batcher(self._epoch_examples()))
            if self._on_arrival is not None:
                for _ in range(self._n_batches):
                    if next(batches, None) is None:
                        raise ConfigError(
                            f"the training corpus ends before batch {self._n_batches}, where the checkpoint stands",
                            where="training.train_corpus",
                            next_step="put back the corpus that it was made with, or train without --resume",
                        )
                self._on_arrival()
                self._on_arrival = None
            for batch in batches:
                self._n_batches += 1
                yield self._epoch, batch
            if not self._n_batches:
                raise NoInputError(
                    "the training corpus gives no batches",
                    where="training.train_corpus",
                    next_step="check its path, limit and values, and what [training.batcher] discards",
                )
            self._start, self._n_batches = {}, 0
            self._epoch += 1

    def state(self) -> dict[str, Any]:
        """The place after the last batch that was taken."""
        order = self._order.tolist() if self.examples is not None else None
        return {"epoch": self._epoch, "n_batches": self._n_batches, "order": order, **self._start}

    def load_state(self, state: dict[str, Any], on_arrival: Callable[[], None]) -> None:
        """Go to a place.

        on_arrival: called there, before anything new happens, to set the random generators as they were.
        """
        self._on_arrival = on_arrival
        self._epoch, self._n_batches = state["epoch"], state["n_batches"]
        version, internal, gauss = state["random"]
        self._start = {"random": (version, tuple(internal), gauss), "schedules": state["schedules"]}
        if self.examples is not None:
            self._order = np.array(state["order"])
        for schedule, count in zip(self._schedules, state["schedules"], strict=True):
            schedule.forward(count)

    def _shuffle(self) -> None:
        if self.examples is not None:
            # The same moves as spaCy makes on the examples themselves.
            order = self._order.tolist()
            random.shuffle(order)
            self._order = np.array(order)

    def _epoch_examples(self) -> Iterable[Example]:
        if self.examples is not None:
            return [self.examples[index] for index in self._order]
        self._set_epoch()
        return self._corpus(self._nlp)

    def _set_epoch(self) -> None:
        if hasattr(self._corpus, "epoch"):
            self._corpus.epoch = self._epoch


class _Counted:
    """An iterator that knows how far it has been read: batch sizes that grow go on growing after a resumption."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values, self.count = iter(values), 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Any:
        self.count += 1
        return next(self._values)

    def forward(self, count: int) -> None:
        while self.count < count:
            next(self)


def _counted(batcher: Batcher) -> tuple[Batcher, list[_Counted]]:
    """A batcher of spaCy's with its schedules counted. (They are partials; other batchers are taken as they are.)"""
    if not isinstance(batcher, functools.partial):
        return batcher, []
    schedules = {
        key: _Counted(value)
        for key, value in batcher.keywords.items()
        if isinstance(value, Iterator) and not callable(value)
    }
    return functools.partial(batcher, **schedules), list(schedules.values())
