"""The metric `classification`: one label a document, or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmpipe.errors import ConfigError, RecordError
from mmpipe.metrics import rates
from mmpipe.metrics.base import Figures, Metric, Pair, malformed
from mmpipe.metrics.charts import Chart
from mmpipe.metrics.extras import need

Gold = str | tuple[str, ...]
"""One label as the record names it, or those of a record that may have several."""


class Classification(Metric):
    """Accuracy, precision, recall, F1, area under the ROC curve, and expected calibration error.

    Gold, under `label` by default: a label's name, a number, true or false; a list of them where a text may have
    several or none; a dict from names to probabilities, of which the greatest counts. What the gold calls a label is
    looked up in `labels`, then among the model's names (in any case), then, where it is a number, in the model's
    order. A label that `labels` maps to "" leaves its records out.
    """

    name = "classification"
    gold_key = "label"
    headline = "f1_macro"
    packages = ("sklearn.metrics",)

    def __init__(self, *, labels: Mapping[str, str] | None = None) -> None:
        super().__init__(labels=labels)
        self.used: dict[str, str] = {}

    def read_gold(self, record: Mapping[str, Any], key: str | None = None) -> Gold | None:
        """The label, or a tuple of labels where the record holds a list; names as the record has them."""
        key = key or self.gold_key
        value = record.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, Mapping) and value and all(isinstance(share, int | float) for share in value.values()):
            value = max(value, key=lambda name: value[name])
        if isinstance(value, list):
            return tuple(self._name(record, key, one) for one in value)
        name = self._name(record, key, value)
        return None if self.labels.get(name) == "" else name

    def _name(self, record: Mapping[str, Any], key: str, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return str(int(value))
        if not isinstance(value, str) or not value.strip():
            malformed(record, key, "a label's name or number, or a list of them", value)
        return value.strip()

    def resolve(self, gold: Gold, labels: Sequence[str]) -> Gold:
        """The gold in the model's names. Raises RecordError for a label that the model does not have."""
        if isinstance(gold, str) and len(labels) == 1 and gold in ("0", "1", "false", "true"):
            return tuple(labels) if gold in ("1", "true") else ()
        if not isinstance(gold, str):
            return tuple(self._resolve(one, labels) for one in gold if self.labels.get(one) != "")
        return self._resolve(gold, labels)

    def _resolve(self, name: str, labels: Sequence[str]) -> str:
        found = _lookup(name, labels, self.labels)
        if found is None:
            raise RecordError(f"the model has no label for the gold {name!r}", next_step=_mend([name], labels))
        self.used[name] = found
        return found

    def check(self, golds: Iterable[Gold], labels: Sequence[str]) -> None:
        """Raises ConfigError that lists every gold label the model does not have, and how to map them."""
        unknown: Counter = Counter()
        for gold in golds if labels else ():
            try:
                self.resolve(gold, labels)
            except RecordError:
                unknown.update({one for one in ([gold] if isinstance(gold, str) else gold)})
        unknown = Counter({one: n for one, n in unknown.items() if _lookup(one, labels, self.labels) is None})
        if unknown:
            told = ", ".join(f"{name!r} ({n} times)" for name, n in unknown.most_common(20))
            raise ConfigError(
                f"the gold has labels that the model does not: {told}; the model has {', '.join(map(repr, labels))}",
                next_step=_mend(list(unknown), labels),
            )

    def pairs(self, gold: Gold, predicted: Any) -> list[Pair]:
        """One pair; its gold is in the model's names, its prediction {"label", "scores"}."""
        scores = predicted.get("scores") if isinstance(predicted, Mapping) else None
        if not isinstance(scores, Mapping) or not scores:
            raise RecordError(
                f"the result must be {{'label', 'score', 'scores'}}, got {predicted!r:.60}",
                next_step="name the metric of this field with --metric",
            )
        if predicted.get("label") is not None and predicted["label"] not in scores:
            raise RecordError(
                f"the result's label {predicted['label']!r} is none of its scores': {', '.join(map(repr, scores))}",
                next_step="give the scores of all labels",
            )
        return [Pair(self.resolve(gold, list(scores)), predicted)]

    def measure(self, pairs: Sequence[Pair]) -> Figures:
        """accuracy; precision, recall, F1 as `<figure>_macro` and `<figure>_micro`; auc (of the second label where
        there are two, else the mean of one label against the rest); ece (15 bins); log_loss in nats; per_label;
        confusion (rows are gold); labels_of_gold: what the gold's labels were taken for. All but log_loss from 0 to 1.
        """
        table = rates.tabulate(pairs)
        return {**rates.by_scikit_learn(need("sklearn.metrics", "classification"), table), "labels_of_gold": self.used}

    def recounter(self, pairs: Sequence[Pair]) -> Callable[[np.ndarray], dict[str, float]]:
        table = rates.tabulate(pairs)
        return lambda chosen: rates.count(table.take(chosen))

    def judge_each(self, pairs: Sequence[Pair]) -> list[float]:
        return rates.likelihood(rates.tabulate(pairs)).tolist()

    def charts(self, pairs: Sequence[Pair]) -> list[Chart]:
        return rates.charts(rates.tabulate(pairs))

    def show(self, pair: Pair) -> tuple[str, str]:
        gold = pair.gold if isinstance(pair.gold, str) else ", ".join(pair.gold) or "(none)"
        scores = ", ".join(f"{label} {score:.2f}" for label, score in pair.predicted["scores"].items())
        return gold, f"{pair.predicted.get('label')}: {scores}"

    def labels_in(self, predicted: Any) -> tuple[str, ...]:
        return tuple(predicted["scores"]) if self.recognises(predicted) else ()

    @classmethod
    def recognises(cls, value: Any) -> bool:
        return isinstance(value, dict) and "label" in value and isinstance(value.get("scores"), dict)


def label_index(gold: str, labels: Sequence[str], mapping: Mapping[str, str] | None = None) -> int:
    """The place of a gold label in the model's order, as Classification finds it. Raises RecordError for none."""
    return list(labels).index(Classification(labels=mapping)._resolve(gold, labels))


def _lookup(name: str, labels: Sequence[str], mapping: Mapping[str, str]) -> str | None:
    name = mapping.get(name, name)
    if name in labels:
        return name
    folded = [label for label in labels if label.lower() == name.lower()]
    if len(folded) == 1:
        return folded[0]
    number = {"false": "0", "true": "1"}.get(name, name)
    return labels[int(number)] if number.isdecimal() and int(number) < len(labels) else None


def _mend(unknown: Sequence[str], labels: Sequence[str]) -> str:
    example = ",".join(f"{name}={labels[min(i, len(labels) - 1)]}" for i, name in enumerate(sorted(unknown)[:3]))
    return f"map each to one of the model's, such as --labels {example}; --labels {unknown[0]}= leaves its records out"
