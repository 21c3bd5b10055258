"""Cross-validation: who is in which fold, and that the one judged was never seen."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmpipe.errors import ConfigError, NoInputError
from mmpipe.evaluate import folds
from mmpipe.evaluate.evaluation import Evaluation
from mmpipe.evaluate.gold import Gold
from mmpipe.evaluate.judge import Judgement, Verdict
from mmpipe.evaluate.report import html
from mmpipe.evaluate.resample import Resampling
from mmpipe.evaluate.task import Task, Wishes
from mmpipe.metrics.qa import Answers
from mmpipe.plugins import get_plugins

LABELS = ("negative", "positive")


@pytest.mark.parametrize("n", [10, 23])
def test_each_record_is_in_one_fold(n: int) -> None:
    parts = folds.split(n, 4, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    again, other = folds.split(n, 4, seed=1), folds.split(n, 4, seed=2)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(parts, other, strict=True))


def test_strata_are_spread() -> None:
    strata = ["rare"] * 5 + ["common"] * 45
    for part in folds.split(50, 5, strata=strata):
        assert Counter(strata[i] for i in part) == {"rare": 1, "common": 9}


@pytest.fixture
def config(tiny: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A training of a tiny classifier that learns one word, and its records."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    words = ["this", "film", "is", "that", "one", "never", "again", "day", "was"]
    with open("gold.jsonl", "w") as stream:
        for i in range(60):
            label = LABELS[i % 2]
            chosen = [*rng.choices(words, k=4), "good" if label == "positive" else "bad"]
            rng.shuffle(chosen)
            stream.write(json.dumps({"text": " ".join(chosen), "stars": label, "i": i}) + "\n")
    model = {"name": tiny("bert", labels=LABELS), "device": "cpu", "precision": "fp32"}
    tree = {
        "nlp": {"lang": "en", "pipeline": ["tone"]},
        "components": {"tone": {"factory": "mmpipe_sentiment", "model": model}},
        "corpora": {
            name: {"@readers": "mmpipe.JsonlCorpus.v1", "path": "nowhere.jsonl", "fields": {"label": "stars"}}
            for name in ("train", "dev")
        },
        "training": {
            "max_steps": 40,
            "eval_frequency": 20,
            "optimizer": {"@optimizers": "Adam.v1", "learn_rate": 2e-3},
        },
    }
    Path("train.json").write_text(json.dumps(tree))
    return "train.json"


def evaluation(n: int = 50) -> Evaluation:
    return Evaluation(get_plugins(), Wishes({"tone": "stars"}, {}, {}), Resampling(n), n_worst=3)


def test_trained_judged_and_pooled(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[list[set[int]]] = []
    train = folds.train

    def spy(pipeline, output):
        corpora = pipeline.config["corpora"]
        lines = [Path(corpora[name]["path"]).read_text().splitlines() for name in ("train", "dev")]
        trained.append([{json.loads(line)["i"] for line in own} for own in lines])
        return train(pipeline, output)

    judged: list[set[int]] = []
    judge = folds.pooled
    monkeypatch.setattr(folds, "train", spy)
    monkeypatch.setattr(
        folds,
        "pooled",
        lambda verdicts, items: (
            judged.extend({r["i"] for r in v.judgements[0].records} for v in verdicts) or judge(verdicts, items)
        ),
    )
    found = evaluation().of_folds(config, ["gold.jsonl"], 2)
    for (learnt, chosen), tested in zip(trained, judged, strict=True):
        assert not learnt & chosen and not (learnt | chosen) & tested
        assert len(learnt | chosen | tested) == 60 and len(tested) == 30
    assert sorted(i for tested in judged for i in tested) == list(range(60))
    task = found["tasks"]["tone"]
    assert task["counts"]["records"] == 60 and task["figures"]["accuracy"] > 0.8, "it should have learnt one word"
    each = found["folds"]["tone"]["figures"]["accuracy"]
    assert each["mean"] == pytest.approx(task["figures"]["accuracy"]) == pytest.approx(np.mean(each["values"]))
    assert each["standard_deviation"] == pytest.approx(np.std(each["values"], ddof=1)) and len(each["values"]) == 2
    assert "<h2>tone: 2 folds</h2>" in html(found) and "<h1>Evaluation of train.json</h1>" in html(found)


def test_a_figure_that_some_folds_lack_stays_with_its_fold() -> None:
    def verdict(answers: list[list[str]]) -> Verdict:
        metric = Answers()
        golds = [metric.read_gold({"question": "q", "answers": of_one}) for of_one in answers]
        pairs = [pair for gold in golds for pair in metric.pairs(gold, [{"question": "q", "text": "x"}])]
        return Verdict([Judgement(Task("qa", "answers", metric, "answers"), Gold(), pairs=pairs)], [])

    told = folds.spread([verdict([["x"]]), verdict([["x"], []]), verdict([["x"], ["y"], []])])["qa"]["figures"]
    assert told["exact"]["values"] == pytest.approx([100.0, 50.0, 100 / 3])
    assert told["has_answer_exact"]["values"] == pytest.approx([float("nan"), 100.0, 50.0], nan_ok=True)
    assert told["has_answer_exact"]["mean"] == 75.0
    assert told["has_answer_exact"]["standard_deviation"] == pytest.approx(np.std([100, 50], ddof=1))


def test_images_of_two_folders_cannot_be_one_corpus(config: str) -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
        rows = [json.dumps({"text": "x", "stars": LABELS[i % 2], "image": f"{i}.jpg"}) + "\n" for i in range(10)]
        Path(name, "gold.jsonl").write_text("".join(rows))
    with pytest.raises(ConfigError, match="one folder"):
        evaluation().of_folds(config, ["a/gold.jsonl", "b/gold.jsonl"], 2)


def test_too_few_records(config: str) -> None:
    with pytest.raises(NoInputError, match="too few for 31 folds"):
        evaluation().of_folds(config, ["gold.jsonl"], 31)


def test_several_sources_cannot_be_replaced(config: str) -> None:
    tree = json.loads(Path(config).read_text())
    tree["corpora"]["train"] = {"@readers": "mmpipe.JsonlCorpus.v1", "sources": {"a": {"path": "gold.jsonl"}}}
    Path(config).write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match=r"corpora\.train"):
        evaluation().of_folds(config, ["gold.jsonl"], 2)
