"""Judged against the SQuAD 2.0 script as transformers carries it, and the 1.1 script's definitions."""

from __future__ import annotations

import json
import random
import re
import string
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmpipe.errors import RecordError
from mmpipe.metrics import squad
from mmpipe.metrics.qa import Answer, Answers, Question

judge = pytest.importorskip(
    "transformers.data.metrics.squad_metrics", reason="transformers 5 has no copy of SQuAD's official script"
)

ROOT = Path(__file__).parents[2]
ARTICLES = [json.loads(line) for line in (ROOT / "corpora/articles/articles.jsonl").open(encoding="utf-8")]
ODD = [
    "",
    "the",
    "a",
    "An.",
    "-",
    "the the",
    "...",
    "24–10",
    "“Levi’s”",
    "U.S.",
    "u.s",
    "THE Stadium",
    "x  y\tz",
    "é A",
]


def spans(n: int, seed: int = 0, *, share_impossible: float = 0.3) -> list[dict]:
    """Questions about real articles: gold spans, and predictions that overlap them, miss them or are not given."""
    rng = random.Random(seed)
    found = []
    for i in range(n):
        words = rng.choice(ARTICLES)["text"].split()
        start = rng.randrange(len(words) - 12)
        is_impossible = rng.random() < share_impossible
        golds = [" ".join(words[start + rng.randint(0, 2) : start + rng.randint(3, 7)]) for _ in range(3)]
        shift = rng.choice([0, 0, 0, 1, 2, 9])
        text = " ".join(words[start + shift : start + shift + rng.randint(1, 7)])
        score = round(min(max(rng.gauss(0.7 if is_impossible else 0.3, 0.2), 0.0), 1.0), 9)
        found.append({"id": str(i), "golds": [] if is_impossible else golds, "text": text, "no_answer_score": score})
    return found


def paired(rows: list[dict], threshold: float = 1.0) -> list:
    metric, pairs = Answers(), []
    for row in rows:
        record = {"question": f"q{row['id']}?", "answers": row["golds"]}
        best = {"question": record["question"], "text": row["text"], "no_answer_score": row["no_answer_score"]}
        entries = [best] if row["no_answer_score"] <= threshold else [best | {"text": None}, best]
        pairs += metric.pairs(metric.read_gold(record), entries)
    return pairs


def test_version_2_equals_the_script() -> None:
    rows = spans(400)
    examples = [SimpleNamespace(qas_id=row["id"], answers=[{"text": text} for text in row["golds"]]) for row in rows]
    texts = {row["id"]: row["text"] for row in rows}
    scores = {row["id"]: row["no_answer_score"] for row in rows}
    wanted = judge.squad_evaluate(examples, texts, scores, no_answer_probability_threshold=0.5)
    found = Answers().measure(paired(rows, threshold=0.5))
    assert found["script"] == "SQuAD 2.0"
    same = {
        "exact": "exact",
        "f1": "f1",
        "has_answer_exact": "HasAns_exact",
        "has_answer_f1": "HasAns_f1",
        "no_answer_exact": "NoAns_exact",
        "best_exact": "best_exact",
        "best_f1": "best_f1",
        "best_exact_threshold": "best_exact_thresh",
        "best_f1_threshold": "best_f1_thresh",
    }
    assert {ours: found[ours] for ours in same} == pytest.approx({ours: wanted[key] for ours, key in same.items()})
    assert found["best_f1"] > found["f1"] + 0.1 and found["has_answer_f1"] > found["has_answer_exact"] + 5
    is_right = [(row["no_answer_score"] <= 0.5) == bool(row["golds"]) for row in rows]
    assert found["answerable_accuracy"] == pytest.approx(np.mean(is_right))
    assert found["best_answerable_accuracy"] >= found["answerable_accuracy"]


def test_one_answer_equals_the_script() -> None:
    texts = [*ODD, *(row["text"] for row in spans(60)), *(g for row in spans(30, 1) for g in row["golds"])]
    rng = random.Random(0)
    for _ in range(3000):
        gold, predicted = rng.choice(texts), rng.choice(texts)
        assert squad.normalise(gold) == judge.normalize_answer(gold)
        if judge.normalize_answer(gold):
            assert squad.exact(predicted, [gold]) == judge.compute_exact(gold, predicted)
            assert squad.f1(predicted, [gold]) == pytest.approx(judge.compute_f1(gold, predicted))


def normalise_11(s: str) -> str:
    """evaluate-v1.1.py"""
    s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def f1_11(prediction: str, truth: str) -> float:
    """evaluate-v1.1.py"""
    prediction_tokens, truth_tokens = normalise_11(prediction).split(), normalise_11(truth).split()
    num_same = sum((Counter(prediction_tokens) & Counter(truth_tokens)).values())
    if num_same == 0:
        return 0
    precision, recall = num_same / len(prediction_tokens), num_same / len(truth_tokens)
    return 2 * precision * recall / (precision + recall)


def test_version_11_where_all_have_answers() -> None:
    rows = spans(200, share_impossible=0.0)
    rows += [{"id": f"odd{i}", "golds": [t, "x"], "text": "the", "no_answer_score": 0.0} for i, t in enumerate(ODD[1:])]
    found = Answers().measure(paired(rows))
    exacts = [max(normalise_11(r["text"]) == normalise_11(g) for g in r["golds"]) for r in rows]
    assert found["exact"] == pytest.approx(100 * np.mean(exacts))
    assert found["f1"] == pytest.approx(100 * np.mean([max(f1_11(r["text"], g) for g in r["golds"]) for r in rows]))
    assert found["script"] == "SQuAD 1.1" and set(found) == {"script", "exact", "f1"}


def test_resampling_recounts() -> None:
    pairs = paired(spans(80), threshold=0.5)
    recount, metric = Answers().recounter(pairs), Answers()
    chosen = np.random.default_rng(0).integers(0, 80, 80)
    wanted = metric.measure([pairs[i] for i in chosen])
    found = recount(chosen)
    assert found == pytest.approx({key: wanted[key] for key in found}) and "f1" in found
    assert metric.judge_each(pairs) == pytest.approx([recount(np.array([i]))["f1"] for i in range(80)])


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({}, None),
        ({"question": "q"}, None),
        ({"question": "q", "answers": ""}, None),
        ({"question": "q", "answers": {}}, None),
        ({"questions": [], "answers": []}, None),
        ({"question": "q", "answers": [" "]}, [("q", [])]),
        ({"question": "q", "answers": "x"}, [("q", ["x"])]),
        ({"question": "q", "answers": []}, [("q", [])]),
        ({"question": "q", "answers": ["x", {"text": "y", "start": 3}]}, [("q", ["x", "y"])]),
        ({"question": "q", "answers": [{"text": "plausible", "start": 1}], "impossible": True}, [("q", [])]),
        ({"question": "q", "is_impossible": True}, [("q", [])]),
        ({"question": "q", "answers": {"text": ["x", "y"], "answer_start": [1, 2]}}, [("q", ["x", "y"])]),
        ({"question": "q", "answers": {"text": [], "answer_start": []}}, [("q", [])]),
        ({"questions": ["q", "r"], "answers": [["x"], []]}, [("q", ["x"]), ("r", [])]),
        ({"questions": ["q", "r"], "answers": ["x", None]}, [("q", ["x"]), ("r", [])]),
        ({"question": "p", "questions": ["q"], "answers": [["x"], ["y"]]}, [("p", ["x"]), ("q", ["y"])]),
        ({"answers": {"q": ["x"], "r": []}}, [("q", ["x"]), ("r", [])]),
        ({"answers": ["x"]}, [(None, ["x"])]),
    ],
)
def test_shapes_of_gold(record: dict, wanted: list | None) -> None:
    found = Answers().read_gold(record)
    assert found is None if wanted is None else [(q.text, [a.text for a in q.answers]) for q in found] == wanted


def test_offsets_are_kept_for_training() -> None:
    record = {"question": "q", "answers": [{"text": "y", "start": 3}, "z"]}
    assert Answers().read_gold(record) == [Question("q", (Answer("y", 3), Answer("z", None)))]
    assert Answers().read_gold({"a": {"text": ["x"], "answer_start": [7]}}, "a")[0].answers == (Answer("x", 7),)


@pytest.mark.parametrize("answers", [5, [5], [{"start": 1}], [["x"]]])
def test_malformed(answers: object) -> None:
    with pytest.raises(RecordError, match=r"record 'x'.*'answers' must be"):
        Answers().read_gold({"id": "x", "question": "q", "answers": answers})
    with pytest.raises(RecordError, match="list of 2 lists"):
        Answers().read_gold({"questions": ["q", "r"], "answers": [["x"]]})


def test_answers_are_found_by_their_question() -> None:
    metric = Answers()
    entries = [
        {"question": q, "text": t} for q, t in (("config's", "a"), ("q", "b"), ("q", "second best"), ("r", None))
    ]
    gold = metric.read_gold({"questions": ["r", " q"], "answers": [["x"], ["b"]]})
    assert [(p.key, p.predicted[0]["text"]) for p in metric.pairs(gold, entries)] == [("r", None), ("q", "b")]
    with pytest.raises(RecordError, match=r"' q'.*was asked \"config's\""):
        metric.pairs(gold[1:], entries[:1])
    for predicted in (None, ["b"], "b"):
        with pytest.raises(RecordError, match="was asked nothing"):
            metric.pairs(gold, predicted)
    (pair,) = metric.pairs(metric.read_gold({"answers": "b"}), entries[1:3])
    assert metric.judge_each([pair]) == [100.0]
    with pytest.raises(RecordError, match="None"):
        metric.pairs(metric.read_gold({"answers": "a"}), entries)
