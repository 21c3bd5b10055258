"""The training loop: what spaCy's `train_while_improving` does, with a state that can be stored and gone back to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from timeit import default_timer
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import subdivide_batch
from thinc.api import Optimizer

from mmpipe.train.batches import Batches

Evaluate = Callable[[], tuple[float, dict[str, Any]]]


@dataclass
class Progress:
    """How far a training has come.

    n_steps: updates made. results: (score, step) of each evaluation, steps counted from 0 as spaCy does.
    losses: summed up since the last evaluation. n_words: tokens seen. seconds: taken, over all resumptions.
    """

    n_steps: int = 0
    results: list[tuple[float, int]] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    n_words: int = 0
    seconds: float = 0.0

    @property
    def best(self) -> tuple[float, int]:
        """The best score and its step, the earliest of equal ones."""
        score, step = max((score, -step) for score, step in self.results)
        return score, -step

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self.results = [(score, step) for score, step in state["results"]]


@dataclass(frozen=True)
class Step:
    """One update, as it is told to loggers.

    score, scores: of an evaluation, None where this step had none. is_best: whether it is the best so far.
    losses: by component, summed up since the last evaluation, this step's included. batch: how many examples it saw.
    """

    index: int
    epoch: int
    batch: int
    losses: dict[str, float]
    learn_rate: float
    score: float | None
    scores: dict[str, Any] | None
    is_best: bool | None


@dataclass(frozen=True)
class Limits:
    """When to evaluate and when to stop; the settings of [training] of the same names."""

    eval_frequency: int
    patience: int
    max_steps: int


class Loop:
    """Train until the score stops improving, step by step.

    dropouts: rates, one a step. excluded: components that do not learn. annotating: those whose results others see.
    """

    def __init__(
        self,
        nlp: Language,
        optimizer: Optimizer,
        batches: Batches,
        evaluate: Evaluate,
        limits: Limits,
        *,
        dropouts: Iterator[float],
        accumulate_gradient: int,
        excluded: Sequence[str],
        annotating: Sequence[str],
        before_update: Callable[[Language, dict[str, Any]], None] | None,
    ) -> None:
        self.nlp, self.optimizer, self.batches, self.evaluate, self.limits = nlp, optimizer, batches, evaluate, limits
        self.progress = Progress()
        self._dropouts, self._accumulate, self._before = dropouts, accumulate_gradient, before_update
        self._excluded, self._annotating = list(excluded), list(annotating)

    def load_state(self, state: Mapping[str, Any], on_arrival: Callable[[], None]) -> None:
        """Go to where a training stood: progress, batches, and the schedules of a fresh optimizer.

        on_arrival: see Batches.load_state.
        """
        self.progress.load_state(state["progress"])
        self.batches.load_state(state["batches"], on_arrival)
        for _ in range(self.progress.n_steps):
            next(self._dropouts)
            self.optimizer.step_schedules()

    def state(self) -> dict[str, Any]:
        """What `load_state` needs, in plain data."""
        return {"progress": self.progress.state(), "batches": self.batches.state()}

    def steps(self) -> Iterator[Step]:
        """Update after update, until the limits or the last epoch."""
        progress, start = self.progress, default_timer()
        if self.is_over:
            return
        for epoch, batch in self.batches:
            index, rate = progress.n_steps, float(self.optimizer.learn_rate)
            self._update(index, epoch, batch)
            score, scores, is_best = None, None, None
            if not index % self.limits.eval_frequency:
                with self.nlp.use_params(self.optimizer.averages):
                    score, scores = self.evaluate()
                progress.results.append((score, index))
                is_best = score == max(progress.results)[0]
            progress.n_steps += 1
            progress.n_words += sum(len(example) for example in batch)
            now = default_timer()
            progress.seconds, start = progress.seconds + now - start, now
            step = Step(index, epoch, len(batch), dict(progress.losses), rate, score, scores, is_best)
            if is_best is not None:
                progress.losses = {}
            yield step
            if self.is_over:
                return

    @property
    def is_over(self) -> bool:
        """Whether patience or steps are used up. As in spaCy, the step number `max_steps` is still made."""
        if not self.progress.results:
            return False
        last, (_, best_step) = self.progress.n_steps - 1, self.progress.best
        is_out_of_patience = self.limits.patience and last - best_step >= self.limits.patience
        return bool(is_out_of_patience or (self.limits.max_steps and last >= self.limits.max_steps))

    def _update(self, index: int, epoch: int, batch: list[Example]) -> None:
        nlp = self.nlp
        if self._before is not None:
            self._before(nlp, {"step": index, "epoch": epoch})
        dropout = next(self._dropouts)
        for part in subdivide_batch(batch, self._accumulate):
            nlp.update(
                part,
                drop=dropout,
                losses=self.progress.losses,
                sgd=False,  # type: ignore[arg-type]
                exclude=self._excluded,
                annotates=self._annotating,
            )
        for name, pipe in nlp.pipeline:
            learns = name not in self._excluded and getattr(pipe, "is_trainable", False)
            if learns and getattr(pipe, "model", None) not in (True, False, None):
                pipe.finish_update(self.optimizer)  # type: ignore[attr-defined]
        self.optimizer.step_schedules()
