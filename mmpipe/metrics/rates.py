"""Rates of classification over indicator matrices: by scikit-learn, and the same counted quickly for resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmpipe.metrics.base import Figures, Pair
from mmpipe.metrics.calibration import expected_calibration_error, negative_log_likelihood, reliability
from mmpipe.metrics.charts import Chart, histogram, line


@dataclass(frozen=True)
class Table:
    """Gold and predictions of many documents.

    is_gold, is_predicted: bool, (n_docs, n_labels). probabilities: float64, the same shape.
    is_multi_label: a document may have several labels or none; predicted are those that its result lists as
        `labels`, or, where it has no such list, each from a probability of 0.5.
    """

    labels: list[str]
    is_gold: np.ndarray
    is_predicted: np.ndarray
    probabilities: np.ndarray
    is_multi_label: bool

    def take(self, chosen: np.ndarray) -> Table:
        """Of some documents, by index."""
        rows = (self.is_gold[chosen], self.is_predicted[chosen], self.probabilities[chosen])
        return Table(self.labels, *rows, self.is_multi_label)

    @property
    def is_used(self) -> np.ndarray:
        """Labels that count in a macro mean, as scikit-learn has it: (n_labels,)."""
        present = self.is_gold.any(axis=0) | self.is_predicted.any(axis=0)
        return np.ones_like(present) if self.is_multi_label else present


def tabulate(pairs: Sequence[Pair]) -> Table:
    """The table of Classification's pairs."""
    labels = list(dict.fromkeys(label for pair in pairs for label in pair.predicted["scores"]))
    index = {label: i for i, label in enumerate(labels)}
    is_multi_label = any(not isinstance(pair.gold, str) for pair in pairs)
    is_gold = np.zeros((len(pairs), len(labels)), dtype=bool)
    is_predicted, probabilities = is_gold.copy(), np.zeros(is_gold.shape)
    for row, pair in enumerate(pairs):
        for label in [pair.gold] if isinstance(pair.gold, str) else pair.gold:
            is_gold[row, index[label]] = True
        for label, score in pair.predicted["scores"].items():
            probabilities[row, index[label]] = score
        for label in _chosen(pair.predicted, is_multi_label):
            is_predicted[row, index[label]] = True
    return Table(labels, is_gold, is_predicted, probabilities, is_multi_label)


def _chosen(predicted: Mapping[str, Any], is_multi_label: bool) -> list[str]:
    """The labels that a result gives its document."""
    if not is_multi_label:
        return [] if predicted.get("label") is None else [predicted["label"]]
    listed = predicted.get("labels")
    if isinstance(listed, list | tuple):
        return [label for label in listed if label in predicted["scores"]]
    return [label for label, score in predicted["scores"].items() if score >= 0.5]


def count(table: Table) -> dict[str, float]:
    """The figures that are numbers. nan where one has no meaning, such as the AUC where all gold is one label."""
    gold, predicted = table.is_gold, table.is_predicted
    hits, n_gold, n_predicted = (gold & predicted).sum(axis=0), gold.sum(axis=0), predicted.sum(axis=0)
    used = table.is_used
    figures = {
        "accuracy": (gold == predicted).all(axis=1).mean(),
        "precision_macro": _ratio(hits, n_predicted)[used].mean(),
        "recall_macro": _ratio(hits, n_gold)[used].mean(),
        "f1_macro": _ratio(2 * hits, n_gold + n_predicted)[used].mean(),
        "precision_micro": _ratio(hits.sum(), n_predicted.sum()),
        "recall_micro": _ratio(hits.sum(), n_gold.sum()),
        "f1_micro": _ratio(2 * hits.sum(), n_gold.sum() + n_predicted.sum()),
        "auc": _auc(table, [_area(table.probabilities[:, i], gold[:, i]) for i in range(len(table.labels))]),
        **_calibration(table),
    }
    return {key: float(value) for key, value in figures.items()}


def by_scikit_learn(metrics: Any, table: Table) -> Figures:
    """All figures. metrics: the module sklearn.metrics."""
    gold, predicted, everything = _as_scikit_learn(table)
    per_label = metrics.precision_recall_fscore_support(gold, predicted, labels=everything, zero_division=0)
    areas = [_roc(metrics, table, i)[2] for i in range(len(table.labels))]
    figures: Figures = {"accuracy": float(metrics.accuracy_score(gold, predicted))}
    for kind in ("macro", "micro"):
        labels = [everything[i] for i in np.flatnonzero(table.is_used)] if kind == "macro" else everything
        found = metrics.precision_recall_fscore_support(gold, predicted, labels=labels, average=kind, zero_division=0)
        figures |= {
            f"{name}_{kind}": float(x) for name, x in zip(("precision", "recall", "f1"), found[:3], strict=True)
        }
    figures |= {"auc": _auc(table, areas), **_calibration(table)}
    figures["per_label"] = {
        label: {
            "precision": float(per_label[0][i]),
            "recall": float(per_label[1][i]),
            "f1": float(per_label[2][i]),
            "auc": areas[i],
            "n_gold": int(per_label[3][i]),
        }
        for i, label in enumerate(table.labels)
    }
    if not table.is_multi_label:
        names = _names(table)
        figures["confusion"] = {"labels": names, "counts": _confusion(table).tolist()}
    return figures


def likelihood(table: Table) -> np.ndarray:
    """The probability that the model gave to what is right (the least certain of several labels); (n_docs,)."""
    right = np.where(table.is_gold, table.probabilities, 1 - table.probabilities)
    return right.min(axis=1) if table.is_multi_label else (table.probabilities * table.is_gold).sum(axis=1)


def charts(table: Table) -> list[Chart]:
    """ROC, reliability, confusion, and histograms of confidence."""
    from mmpipe.metrics.extras import need

    metrics = need("sklearn.metrics", "the ROC curve")
    certainty, is_right = confidence(table)
    _, mean_confidence, accuracy = reliability(certainty, is_right)
    rocs = {table.labels[i]: _roc(metrics, table, i) for i in _shown(table)}
    found = [
        Chart(
            "lines",
            "ROC, one label against the rest",
            "false positive rate",
            "true positive rate",
            {f"{label} ({area:.3f})": line(x, y) for label, (x, y, area) in rocs.items() if len(x)},
            has_diagonal=True,
        ),
        Chart(
            "lines",
            "Reliability",
            "confidence",
            "share that is right",
            {"model": line(mean_confidence, accuracy)},
            has_diagonal=True,
        ),
        histogram("Confidence", "confidence", {"right": certainty[is_right], "wrong": certainty[~is_right]}),
    ]
    if not table.is_multi_label:
        matrix = _confusion(table).tolist()
        found.append(Chart("matrix", "Confusion", "gold", "predicted", matrix=matrix, names=_names(table)))
    return found


def _shown(table: Table) -> list[int]:
    """The labels whose ROC is drawn: of two, the second; of many, the ten commonest."""
    if len(table.labels) == 2 and not table.is_multi_label:
        return [1]
    return sorted(np.argsort(-table.is_gold.sum(axis=0), kind="stable")[:10].tolist())


def _names(table: Table) -> list[str]:
    is_without = not table.is_predicted.any(axis=1).all()
    return [*table.labels, *(["(none)"] if is_without else [])]


def _confusion(table: Table) -> np.ndarray:
    n = len(_names(table))
    predicted = np.where(table.is_predicted.any(axis=1), table.is_predicted.argmax(axis=1), len(table.labels))
    return np.bincount(table.is_gold.argmax(axis=1) * n + predicted, minlength=n * n).reshape(n, n)


def _as_scikit_learn(table: Table) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Gold and predictions as scikit-learn takes them, and what it calls each label."""
    everything = list(range(len(table.labels)))
    if table.is_multi_label and len(everything) == 1:
        return table.is_gold[:, 0].astype(int), table.is_predicted[:, 0].astype(int), [1]
    if table.is_multi_label:
        return table.is_gold.astype(int), table.is_predicted.astype(int), everything
    # A document without a prediction gets a class of its own, which no gold has.
    predicted = np.where(table.is_predicted.any(axis=1), table.is_predicted.argmax(axis=1), -1)
    return table.is_gold.argmax(axis=1), predicted, everything


def _roc(metrics: Any, table: Table, i: int) -> tuple[np.ndarray, np.ndarray, float]:
    is_gold = table.is_gold[:, i]
    if is_gold.all() or not is_gold.any():
        return np.array([]), np.array([]), float("nan")
    x, y, _ = metrics.roc_curve(is_gold, table.probabilities[:, i])
    return x, y, float(metrics.roc_auc_score(is_gold, table.probabilities[:, i]))


def _area(scores: np.ndarray, is_gold: np.ndarray) -> float:
    """The area under the ROC curve, as the share of pairs in the right order (Mann and Whitney's U)."""
    n_gold = int(is_gold.sum())
    n_other = len(is_gold) - n_gold
    if not n_gold or not n_other:
        return float("nan")
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return float((ranks[is_gold].sum() - n_gold * (n_gold + 1) / 2) / (n_gold * n_other))


def _auc(table: Table, areas: Sequence[float]) -> float:
    if len(areas) == 2 and not table.is_multi_label:
        return areas[1]
    known = [area for area in areas if area == area]
    return float(np.mean(known)) if known else float("nan")


def confidence(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Confidence, and whether it was right, of each decision: a document's, or each label's where it has several."""
    if table.is_multi_label:
        certainty = np.maximum(table.probabilities, 1 - table.probabilities)
        return certainty.ravel(), (table.is_gold == table.is_predicted).ravel()
    return table.probabilities.max(axis=1), (table.is_gold & table.is_predicted).any(axis=1)


def _calibration(table: Table) -> dict[str, float]:
    log_loss = negative_log_likelihood(table.probabilities, table.is_gold, is_independent=table.is_multi_label)
    return {"ece": expected_calibration_error(*confidence(table)), "log_loss": log_loss}


def _ratio(some: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return some / np.maximum(whole, 1)
