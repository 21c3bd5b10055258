"""Real predictions on real data, counted again by scikit-learn, sacrebleu and the official SQuAD script."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sklearn import metrics as judge
from sklearn.calibration import calibration_curve

import mmpipe
from mmpipe.evaluate.evaluation import Evaluation
from mmpipe.evaluate.resample import Resampling
from mmpipe.evaluate.task import Wishes
from mmpipe.metrics.caption import Caption
from mmpipe.metrics.qa import Answers
from mmpipe.metrics.summary import Summary, a_sentence_a_line
from mmpipe.plugins import get_plugins

squad_metrics = pytest.importorskip(
    "transformers.data.metrics.squad_metrics", reason="transformers 5 has no copy of SQuAD's official script"
)

ROOT = Path(__file__).parents[2]
REVIEWS = ROOT / "corpora/reviews/reviews.jsonl"


def rows(name: str, limit: int) -> list[dict[str, Any]]:
    folder = os.environ.get("MMPIPE_DATA")
    if not folder:
        pytest.skip("MMPIPE_DATA names no data")
    with gzip.open(Path(folder) / name, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line, _ in zip(stream, range(limit), strict=False)]


def test_the_shipped_sentiment_model_on_the_reviews() -> None:
    pytest.importorskip("mmpipe_sentiment")
    found = Evaluation(get_plugins(), Wishes({}, {}, {}), Resampling(20), by=("style",)).of_pipeline(
        "sentiment", [str(REVIEWS)]
    )["tasks"]["sentiment"]
    records = [json.loads(line) for line in REVIEWS.open(encoding="utf-8")]
    docs = list(mmpipe.load("sentiment").pipe(record["text"] for record in records))
    gold, said = [record["label"] for record in records], [doc._.sentiment["label"] for doc in docs]
    assert found["figures"]["f1_macro"] == pytest.approx(judge.f1_score(gold, said, average="macro"))
    scores = [doc.cats["positive"] for doc in docs]
    assert found["figures"]["auc"] == pytest.approx(judge.roc_auc_score([g == "positive" for g in gold], scores))
    chances = np.array([[doc.cats["negative"], doc.cats["positive"]] for doc in docs], dtype=np.float32)
    wanted = judge.log_loss(gold, chances, labels=["negative", "positive"])
    assert found["figures"]["log_loss"] == pytest.approx(wanted, abs=1e-4)
    is_right, confidence = np.array(gold) == np.array(said), np.max(chances, axis=1)
    accuracy, mean_confidence = calibration_curve(is_right, confidence, n_bins=15)
    counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
    wanted = np.average(np.abs(accuracy - mean_confidence), weights=counts[counts > 0])
    assert found["figures"]["ece"] == pytest.approx(wanted, abs=1e-4)
    plain = [i for i, record in enumerate(records) if record["style"] == "plain"]
    wanted = judge.accuracy_score([gold[i] for i in plain], [said[i] for i in plain])
    assert found["slices"]["style"]["plain"]["figures"]["accuracy"] == pytest.approx(wanted)


def test_squad() -> None:
    metric, rng, pairs, wanted = Answers(), random.Random(0), [], []
    for row in rows("qa/squad_dev_a.jsonl.gz", 1500):
        words = row["context"].split()
        near = len(row["context"][: row["answers"][0]["start"]].split())
        start = max(0, near + rng.choice([-2, 0, 0, 0, 1, 30]))
        text = " ".join(words[start : start + rng.randint(1, 4)])
        pairs += metric.pairs(metric.read_gold(row), [{"question": row["question"], "text": text}])
        golds = [answer["text"] for answer in row["answers"]]
        measures = (squad_metrics.compute_exact, squad_metrics.compute_f1)
        wanted.append([max(measure(gold, text) for gold in golds) for measure in measures])
    found = metric.measure(pairs)
    exact, f1 = (100 * sum(column) / len(wanted) for column in zip(*wanted, strict=True))
    assert (found["exact"], found["f1"]) == pytest.approx((exact, f1)) and 5 < exact < f1 - 5


def test_flickr8k() -> None:
    """What one person wrote, judged by what the four others did."""
    metric, pairs, found = Caption(), [], rows("captions/flickr8k_dev.jsonl.gz", 300)
    for row in found:
        gold = metric.read_gold({**row, "captions": row["captions"][1:]})
        pairs += metric.pairs(gold, [{"image": row["image"], "text": row["captions"][0]}])
    said = [row["captions"][0] for row in found]
    streams = [[row["captions"][i] for row in found] for i in range(1, 5)]
    wanted = sacrebleu.corpus_bleu(said, streams, force=True).score
    assert metric.measure(pairs)["bleu4_cased"] == pytest.approx(wanted) and wanted > 10


def test_the_shipped_summariser() -> None:
    pytest.importorskip("mmpipe_summariser")
    found = rows("summaries/scitldr_dev.jsonl.gz", 12)
    texts = [row["source"] if isinstance(row["source"], str) else " ".join(row["source"]) for row in found]
    metric, pairs, wanted = Summary(), [], []
    names = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    scorer = RougeScorer(names, use_stemmer=True)
    for row, doc in zip(found, mmpipe.load("summary").pipe(texts), strict=True):
        gold = metric.read_gold(row, "summaries")
        pairs += metric.pairs(gold, doc._.summary)
        best = scorer.score_multi([a_sentence_a_line(one) for one in gold], a_sentence_a_line(doc._.summary["text"]))
        wanted.append([100 * best[name].fmeasure for name in names])
    figures = metric.measure(pairs)
    assert [figures[name] for name in names] == pytest.approx(np.mean(wanted, axis=0)) and figures["rouge1"] > 10


def test_the_qa_component_on_rows_of_squads_shape(tiny: Callable[..., str], tmp_path: Path) -> None:
    """Its field is called `answers`, as the gold is."""
    pytest.importorskip("mmpipe_qa")
    text = "The quick brown fox jumps over the lazy dog and the cat sat on the mat."
    golds = ["The quick brown fox", "the mat", "the lazy dog", None]
    records = [
        {
            "id": str(i),
            "context": text,
            "question": f"what is good {i}?",
            "answers": [{"text": gold, "start": text.index(gold)}] if gold else [],
            "impossible": gold is None,
        }
        for i, gold in enumerate(golds)
    ]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    model = {"name": tiny("bert", has_spans=True), "precision": "fp32", "device": "cpu"}
    block = {"factory": "mmpipe_qa", "top_k": 2, "no_answer_threshold": 0.5, "model": model}
    tree = {"nlp": {"lang": "en", "pipeline": ["qa"]}, "components": {"qa": block}}
    (tmp_path / "p.json").write_text(json.dumps(tree))
    job = Evaluation(get_plugins(), Wishes({}, {}, {}), Resampling(20), text_key="context")
    found = job.of_pipeline(str(tmp_path / "p.json"), [str(tmp_path / "gold.jsonl")])["tasks"]["qa"]
    assert found["counts"] == {"records": 4, "pairs": 4, "without_gold": 0, "malformed": 0, "failed": 0}
    docs = mmpipe.load(tree).pipe(mmpipe.make_docs(mmpipe.load(tree), records, text_key="context"))
    said = [doc._.answers[0]["text"] or "" for doc in docs]
    pairs = [(gold or "", text) for gold, text in zip(golds, said, strict=True)]
    assert found["figures"]["f1"] == pytest.approx(25 * sum(squad_metrics.compute_f1(*pair) for pair in pairs))
    assert found["figures"]["answerable_accuracy"] == sum(bool(gold) == bool(text) for gold, text in pairs) / 4
