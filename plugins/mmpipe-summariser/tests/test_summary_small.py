"""The shipped model, on real texts."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

import mmpipe

ARTICLES = Path(__file__).parents[3] / "corpora" / "articles"
NEWS = Path(os.environ.get("MMPIPE_DATA", ".")) / "summaries" / "cnn_dailymail_500.jsonl.gz"
N_DOCS = 100


@pytest.mark.skipif(
    "MMPIPE_DATA" not in os.environ or not NEWS.exists(),
    reason="MMPIPE_DATA names no folder that holds summaries/cnn_dailymail_500.jsonl.gz",
)
def test_it_beats_the_first_three_sentences_on_news() -> None:
    with gzip.open(NEWS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(N_DOCS), strict=False)]
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    ours = lead = 0.0
    for doc, row in zip(mmpipe.load("summary").pipe(row["article"] for row in rows), rows, strict=True):
        first = " ".join(sent.text for sent in list(doc.sents)[:3])
        ours += scorer.score(row["summary"], doc._.summary["text"])["rouge1"].fmeasure
        lead += scorer.score(row["summary"], first)["rouge1"].fmeasure
    assert ours > lead


@pytest.mark.skipif(not ARTICLES.exists(), reason="corpora/ is not beside this distribution")
def test_it_summarises_the_articles() -> None:
    rows = [json.loads(line) for line in (ARTICLES / "articles.jsonl").read_text("utf-8").splitlines()[:4]]
    for doc in mmpipe.load("summary").pipe(row["text"] for row in rows):
        texts = [span.text for span in doc.spans["summary"]]
        assert len(texts) == 3
        assert doc._.summary["text"] == " ".join(" ".join(text.split()) for text in texts)
        assert doc._.summary["coverage"] == 1.0
