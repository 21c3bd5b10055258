"""What a metric is: it reads gold from a record, pairs it with a prediction, and measures many pairs at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

from mmpipe.errors import RecordError
from mmpipe.metrics.charts import Chart

Figures = dict[str, Any]
"""What `measure` returns: numbers by name; besides them, plain JSON values such as a table."""


@dataclass(frozen=True)
class Pair:
    """One thing to judge.

    gold, predicted: of the metric's own kinds. key: which of the record's it is, where a record gives several:
        the question, the image.
    """

    gold: Any
    predicted: Any
    key: str = ""


class Metric(ABC):
    """Judges the results of one kind of component.

    name: as plugins provide it. gold_key: the key of a record that holds the gold, unless the user names another.
    headline: the key of the main figure. is_lower_better: whether less of it is better.
    packages: modules of optional packages that `measure` imports, so that a lack is told before hours of predicting.
    labels: how names in the gold map to names in the predictions, for metrics of named classes; "" leaves
        records of that label out.
    """

    name: ClassVar[str]
    gold_key: ClassVar[str]
    headline: ClassVar[str]
    is_lower_better: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, labels: Mapping[str, str] | None = None) -> None:
        self.labels = dict(labels or {})

    @abstractmethod
    def read_gold(self, record: Mapping[str, Any], key: str | None = None) -> Any | None:
        """The gold of a record; None where it has none. Raises RecordError where it is malformed."""

    @abstractmethod
    def pairs(self, gold: Any, predicted: Any) -> list[Pair]:
        """The pairs of a record's gold and the plain JSON value of `doc._.<field>`, which may be None.

        Raises RecordError where they do not belong together.
        """

    @abstractmethod
    def measure(self, pairs: Sequence[Pair]) -> Figures:
        """Figures over pairs of one or many records, at least one."""

    def check(self, golds: Iterable[Any], labels: Sequence[str]) -> None:
        """Look at all gold before anything is predicted.

        labels: the model's, () where it has none. Raises ConfigError where gold cannot be judged as it is.
        """
        return

    def recounter(self, pairs: Sequence[Pair]) -> Callable[[np.ndarray], dict[str, float]]:
        """A function from indices, shape (n_chosen,), to the figures of those pairs: what resampling calls.

        This one measures again; override it where the work on each pair can be done once.
        """
        return lambda chosen: numbers(self.measure([pairs[i] for i in chosen]))

    def judge_each(self, pairs: Sequence[Pair]) -> Sequence[float]:
        """How good each pair is, to list the worst: higher is better. () where nothing can be said of one."""
        return ()

    def charts(self, pairs: Sequence[Pair]) -> Sequence[Chart]:
        """What a report draws."""
        return ()

    def show(self, pair: Pair) -> tuple[str, str]:
        """Gold and prediction of a pair, as a reader sees them."""
        return str(pair.gold), str(pair.predicted)

    def labels_in(self, predicted: Any) -> tuple[str, ...]:
        """The names that a result's value shows the model to have; () where it shows none."""
        return ()

    @classmethod
    def recognises(cls, value: Any) -> bool:
        """Whether a result's value looks like what this metric judges, where no pipeline is there to say so."""
        return False


def numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are numbers."""
    return {
        key: float(value)
        for key, value in figures.items()
        if isinstance(value, int | float | np.number) and not isinstance(value, bool)
    }


def malformed(record: Mapping[str, Any], key: str, wanted: str, value: Any) -> NoReturn:
    """Raises the RecordError for gold of the wrong shape."""
    shown = repr(value)
    raise RecordError(
        f"{key!r} must be {wanted}, got {type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}",
        where=f"record {record['id']!r}" if "id" in record else "record",
        next_step="mend the gold, or name the key that holds it with --gold",
    )
