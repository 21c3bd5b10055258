"""Judged against rouge-score, called here on its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from mmpipe.errors import RecordError
from mmpipe.metrics.summary import Summary, a_sentence_a_line

ROOT = Path(__file__).parents[2]
ARTICLES = [json.loads(line) for line in (ROOT / "corpora/articles/articles.jsonl").open(encoding="utf-8")]
TEXTS = [article["text"].replace("\n\n", " ") for article in ARTICLES]
NAMES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def some() -> list[tuple[list[str], str]]:
    """References and summaries of real articles: their sentences, lines of their own, in other orders."""
    found = []
    for i, text in enumerate(TEXTS):
        sents = a_sentence_a_line(text).split("\n")
        found.append(([" ".join(sents[:3]), " ".join(sents[2:5])][: 1 + i % 2], " ".join([sents[4], *sents[1:3]])))
    return found


def test_equals_rouge_score() -> None:
    metric, pairs, wanted = Summary(), [], []
    scorer = RougeScorer(NAMES, use_stemmer=True)
    for references, text in some():
        gold = metric.read_gold({"summary": references})
        pairs += metric.pairs(gold, {"text": text, "sentences": []})
        lines = [a_sentence_a_line(reference) for reference in references]
        best = scorer.score_multi(lines, a_sentence_a_line(text))
        wanted.append([100 * best[name].fmeasure for name in NAMES])
    found = metric.measure(pairs)
    assert [found[name] for name in NAMES] == pytest.approx(np.mean(wanted, axis=0))
    assert 20 < found["rougeL"] < found["rougeLsum"] < 95
    assert metric.judge_each(pairs) == pytest.approx([row[3] for row in wanted])
    chosen = np.array([0, 0, 2])
    assert metric.recounter(pairs)(chosen)["rouge2"] == pytest.approx(np.mean([wanted[i][1] for i in chosen]))


def test_a_sentence_a_line() -> None:
    assert a_sentence_a_line(' One. Two?  "Three!" Four 1.5 ') == 'One.\nTwo?\n"Three!" Four 1.5'
    assert a_sentence_a_line("One. Two\nthree. Four") == "One. Two\nthree. Four"
    assert a_sentence_a_line("他来了。“你好！”我说。") == "他来了。\n“你好！”我说。"


@pytest.mark.parametrize(
    ("gold", "text", "rouge1"),
    [
        ("河边的修伞铺关门了", "修伞铺关门", 100 * 2 * 5 / (9 + 5)),
        ("магазин зонтов закрывается", "магазин закрывается", 80.0),
        ("คขค", "คข", 80.0),
        ("Café fermé", "café", None),
    ],
)
def test_other_scripts_are_not_zero(gold: str, text: str, rouge1: float | None) -> None:
    metric = Summary()
    found = metric.measure(metric.pairs((gold,), {"text": text}))["rouge1"]
    if rouge1 is None:
        rouge1 = 100 * RougeScorer(["rouge1"], use_stemmer=True).score(gold, text)["rouge1"].fmeasure
    assert found == pytest.approx(rouge1)


def test_shapes_of_gold() -> None:
    metric = Summary()
    assert metric.read_gold({"summary": "x"}) == ("x",)
    assert metric.read_gold({"target": ["x", "y"]}, "target") == ("x", "y")
    assert metric.read_gold({"summary": ""}) is None and metric.read_gold({}) is None
    with pytest.raises(RecordError, match=r"record 7.*'summary' must be"):
        metric.read_gold({"id": 7, "summary": 5})
    (pair,) = metric.pairs(("x",), None)
    assert pair.predicted == "" and metric.judge_each([pair]) == [0.0]
