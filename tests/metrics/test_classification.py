"""Judged against scikit-learn's own functions, called here from the records, not through the metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as judge
from sklearn.calibration import calibration_curve

from mmpipe.errors import ConfigError, MmpipeError, RecordError
from mmpipe.metrics import extras
from mmpipe.metrics.classification import Classification, label_index

LABELS = ["negative", "mixed", "positive"]


def results(n: int, labels: list[str], seed: int = 0) -> tuple[list[str], list[dict], np.ndarray]:
    """Gold, predictions that are right more often than not, and their probabilities, (n, n_labels)."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(len(labels), n, p=np.arange(1, len(labels) + 1) / sum(range(1, len(labels) + 1)))
    logits = rng.normal(size=(n, len(labels))) + 1.2 * np.eye(len(labels))[gold]
    # Two decimals, so that scores tie.
    probabilities = np.round(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 2) + 0.001
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = [
        {"label": labels[row.argmax()], "score": row.max(), "scores": dict(zip(labels, row.tolist(), strict=True))}
        for row in probabilities
    ]
    return [labels[i] for i in gold], predicted, probabilities


def paired(metric: Classification, gold: list, predicted: list[dict]) -> list:
    golds = [metric.read_gold({"label": value}) for value in gold]
    return [pair for value, one in zip(golds, predicted, strict=True) for pair in metric.pairs(value, one)]


@pytest.mark.parametrize("n_labels", [2, 3])
def test_equals_scikit_learn(n_labels: int) -> None:
    labels = LABELS[::2] if n_labels == 2 else LABELS
    gold, predicted, probabilities = results(300, labels)
    said = [one["label"] for one in predicted]
    metric = Classification()
    found = metric.measure(paired(metric, gold, predicted))
    for kind in ("macro", "micro"):
        wanted = judge.precision_recall_fscore_support(gold, said, average=kind)[:3]
        assert [found[f"{name}_{kind}"] for name in ("precision", "recall", "f1")] == pytest.approx(wanted)
    assert found["accuracy"] == pytest.approx(judge.accuracy_score(gold, said))
    each = judge.precision_recall_fscore_support(gold, said, labels=labels)
    for i, label in enumerate(labels):
        one = found["per_label"][label]
        assert (one["precision"], one["recall"], one["f1"], one["n_gold"]) == pytest.approx([c[i] for c in each])
    assert found["confusion"] == {
        "labels": labels,
        "counts": judge.confusion_matrix(gold, said, labels=labels).tolist(),
    }
    is_gold = np.array(gold)[:, None] == np.array(labels)
    if n_labels == 2:
        assert found["auc"] == pytest.approx(judge.roc_auc_score(is_gold[:, 1], probabilities[:, 1]))
    else:
        order = np.argsort(labels)  # scikit-learn wants columns in the order of sorted labels.
        wanted = judge.roc_auc_score(gold, probabilities[:, order], multi_class="ovr", average="macro")
        assert found["auc"] == pytest.approx(wanted)
    assert found["log_loss"] == pytest.approx(judge.log_loss(is_gold, probabilities))
    assert 0.4 < found["accuracy"] < 0.9, "too easy or too hard to say anything"


def test_quick_counting_for_resampling_gives_the_same_figures() -> None:
    gold, predicted, _ = results(200, LABELS)
    predicted[3] = {"label": None, "score": 0.0, "scores": dict.fromkeys(LABELS, 0.0)}
    metric = Classification()
    pairs = paired(metric, gold, predicted)
    recount = metric.recounter(pairs)
    for chosen in (np.arange(200), np.random.default_rng(1).integers(0, 200, 200), np.arange(20)):
        wanted = metric.measure([pairs[i] for i in chosen])
        for key, value in recount(chosen).items():
            assert value == pytest.approx(wanted[key], nan_ok=True), key


def test_expected_calibration_error_against_scikit_learns_curve() -> None:
    gold, predicted, probabilities = results(500, LABELS)
    metric = Classification()
    found = metric.measure(paired(metric, gold, predicted))["ece"]
    confidence = probabilities.max(1)
    is_right = np.array(gold) == np.array([one["label"] for one in predicted])
    accuracy, mean_confidence = calibration_curve(is_right, confidence, n_bins=15)
    counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
    wanted = np.average(np.abs(accuracy - mean_confidence), weights=counts[counts > 0])
    assert found == pytest.approx(wanted) and found > 0.01


def test_several_labels_a_text() -> None:
    labels = ["rude", "funny", "long"]
    rng = np.random.default_rng(3)
    is_gold = rng.random((120, 3)) < [0.2, 0.5, 0.4]
    probabilities = np.clip(is_gold * 0.4 + rng.random((120, 3)) * 0.6, 0.01, 0.99)
    gold = [[label for label, has in zip(labels, row, strict=True) if has] for row in is_gold]
    predicted = [
        {"label": labels[row.argmax()], "scores": dict(zip(labels, row.tolist(), strict=True))} for row in probabilities
    ]
    metric = Classification()
    pairs = paired(metric, gold, predicted)
    found = metric.measure(pairs)
    said = probabilities >= 0.5
    assert found["accuracy"] == pytest.approx(judge.accuracy_score(is_gold, said))
    for kind in ("macro", "micro"):
        assert found[f"f1_{kind}"] == pytest.approx(judge.f1_score(is_gold, said, average=kind))
    assert found["auc"] == pytest.approx(judge.roc_auc_score(is_gold, probabilities))
    assert found["log_loss"] == pytest.approx(
        np.mean([judge.log_loss(is_gold[:, i], probabilities[:, i]) for i in range(3)])
    )
    assert "confusion" not in found
    assert metric.recounter(pairs)(np.arange(120)) == pytest.approx(
        {key: found[key] for key in metric.recounter(pairs)(np.arange(120))}
    )


def test_labels_that_a_result_lists_are_what_it_predicts() -> None:
    """A component with thresholds of its own is judged by them."""
    labels = ["rude", "funny", "long"]
    rng = np.random.default_rng(5)
    is_gold, scores, least = rng.random((80, 3)) < 0.4, rng.random((80, 3)), np.array([0.2, 0.5, 0.9])
    said = scores >= least
    named = [[label for label, has in zip(labels, row, strict=True) if has] for row in said]
    predicted = [
        {"label": names[0] if names else None, "labels": names, "scores": dict(zip(labels, row, strict=True))}
        for names, row in zip(named, scores.tolist(), strict=True)
    ]
    gold = [[label for label, has in zip(labels, row, strict=True) if has] for row in is_gold]
    metric = Classification()
    found = metric.measure(paired(metric, gold, predicted))
    assert found["f1_macro"] == pytest.approx(judge.f1_score(is_gold, said, average="macro"))
    assert found["f1_macro"] != pytest.approx(judge.f1_score(is_gold, scores >= 0.5, average="macro"))
    assert found["auc"] == pytest.approx(judge.roc_auc_score(is_gold, scores))


def test_one_label_and_yes_or_no() -> None:
    metric = Classification()
    gold = [1, 0, True, "1", False]
    predicted = [{"label": "toxic", "scores": {"toxic": p}} for p in (0.9, 0.2, 0.3, 0.8, 0.6)]
    found = metric.measure(paired(metric, gold, predicted))
    assert found["accuracy"] == 3 / 5 and found["recall_micro"] == 2 / 3


@pytest.mark.parametrize(
    ("gold", "mapping", "wanted"),
    [
        ("positive", {}, "positive"),
        ("Positive ", {}, "positive"),
        (1, {}, "positive"),
        ("0", {}, "negative"),
        (1.0, {}, "positive"),
        (True, {}, "positive"),
        (4, {"4": "positive"}, "positive"),
        ("pos", {"pos": "positive"}, "positive"),
        (0, {"0": "positive"}, "positive"),
        ({"negative": 0.3, "positive": 0.7}, {}, "positive"),
    ],
)
def test_names_and_numbers(gold: object, mapping: dict[str, str], wanted: str) -> None:
    metric = Classification(labels=mapping)
    labels = ["negative", "positive"]
    read = metric.read_gold({"label": gold})
    metric.check([read], labels)
    (pair,) = metric.pairs(read, {"label": "negative", "scores": dict.fromkeys(labels, 0.5)})
    assert pair.gold == wanted
    assert label_index(read, labels, mapping) == labels.index(wanted)
    assert metric.used == {str(read): wanted}


def test_numbers_that_are_names_are_names() -> None:
    assert label_index("1", ["2", "1", "0"]) == 1


def test_labels_that_are_left_out() -> None:
    metric = Classification(labels={"2": "", "0": "negative"})
    assert metric.read_gold({"label": 2}) is None and metric.read_gold({"label": 0}) == "0"
    assert metric.read_gold({"label": None}) is None and metric.read_gold({}) is None
    assert metric.read_gold({"stars": 5}, "stars") == "5"


def test_unknown_labels_are_listed_all_at_once() -> None:
    metric = Classification()
    with pytest.raises(ConfigError) as caught:
        metric.check(["negative", "4", "4", "neutral"], ["negative", "positive"])
    said = str(caught.value)
    assert "'4' (2 times)" in said and "'neutral' (1 times)" in said and "'negative', 'positive'" in said
    assert "--labels 4=negative,neutral=positive" in said
    with pytest.raises(RecordError, match="'neutral'"):
        metric.pairs("neutral", {"label": "negative", "scores": {"negative": 1.0, "positive": 0.0}})


@pytest.mark.parametrize("gold", [{"a": "b"}, {}, [["a"]], 1.5, "  "])
def test_malformed_gold(gold: object) -> None:
    with pytest.raises(RecordError, match=r"record 'x'.*'label' must be"):
        Classification().read_gold({"id": "x", "label": gold})


def test_a_label_without_a_score_is_the_records_fault() -> None:
    with pytest.raises(RecordError, match="'c' is none of its scores': 'a', 'b'"):
        Classification().pairs("a", {"label": "c", "scores": {"a": 0.5, "b": 0.2}})


def test_gold_of_one_kind_only_has_no_auc() -> None:
    metric = Classification()
    _, predicted, _ = results(10, LABELS)
    found = metric.measure(paired(metric, ["mixed"] * 10, predicted))
    assert math.isnan(found["auc"]) and found["per_label"]["mixed"]["n_gold"] == 10


def test_charts_are_of_the_same_numbers() -> None:
    gold, predicted, probabilities = results(300, LABELS[::2])
    metric = Classification()
    roc, reliability, confidence, confusion = metric.charts(paired(metric, gold, predicted))
    (curve,) = roc.series.values()
    wanted = judge.roc_auc_score(np.array(gold) == "positive", probabilities[:, 1])
    assert judge.auc(curve.x, curve.y) == pytest.approx(wanted, abs=2e-3)
    assert len(reliability.series["model"].x) > 3
    assert sum(sum(series.y) for series in confidence.series.values()) == 300
    assert np.sum(confusion.matrix) == 300


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(extras.importlib, "import_module", fail)
    gold, predicted, _ = results(5, LABELS)
    metric = Classification()
    with pytest.raises(MmpipeError, match=r"(?s)sklearn.*pip install 'mmpipe\[evaluate\]'"):
        metric.measure(paired(metric, gold, predicted))
