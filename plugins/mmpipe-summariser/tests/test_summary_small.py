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
DATA = Path(os.environ.get("MMPIPE_DATA") or "nowhere") / "summaries"
N_DOCS = 150


def against_lead(file: str, n_sentences: int, text_key: str, summary_key: str) -> tuple[float, float]:
    """Mean ROUGE-1 of the shipped model and of the first sentences, by the rouge-score package."""
    with gzip.open(DATA / file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(N_DOCS), strict=False)]
    texts = [row[text_key] if isinstance(row[text_key], str) else " ".join(row[text_key]) for row in rows]
    wanted = [[row[summary_key]] if isinstance(row[summary_key], str) else row[summary_key] for row in rows]
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    nlp = mmpipe.load("summary", {"components.summary.n_sentences": n_sentences})
    ours, lead = [], []
    for doc, references in zip(nlp.pipe(texts), wanted, strict=True):
        first = " ".join(sent.text for sent in list(doc.sents)[:n_sentences])
        ours.append(scorer.score_multi(references, doc._.summary["text"])["rouge1"].fmeasure)
        lead.append(scorer.score_multi(references, first)["rouge1"].fmeasure)
    return sum(ours) / len(ours), sum(lead) / len(lead)


@pytest.mark.skipif(not DATA.is_dir(), reason="MMPIPE_DATA names no folder that holds summaries/")
def test_it_beats_the_first_sentence_on_unseen_abstracts() -> None:
    ours, lead = against_lead("scitldr_dev.jsonl.gz", 1, "source", "summaries")
    assert ours > lead + 0.04


@pytest.mark.skipif(not DATA.is_dir(), reason="MMPIPE_DATA names no folder that holds summaries/")
def test_it_comes_level_with_the_first_three_sentences_on_news_of_another_kind() -> None:
    ours, lead = against_lead("cnn_dailymail_500.jsonl.gz", 3, "article", "summary")
    assert ours == pytest.approx(lead, abs=0.01)


@pytest.mark.skipif(not ARTICLES.exists(), reason="corpora/ is not beside this distribution")
def test_it_summarises_the_articles() -> None:
    rows = [json.loads(line) for line in (ARTICLES / "articles.jsonl").read_text("utf-8").splitlines()[:4]]
    for doc in mmpipe.load("summary").pipe(row["text"] for row in rows):
        texts = [span.text for span in doc.spans["summary"]]
        assert len(texts) == 3
        assert doc._.summary["text"] == " ".join(" ".join(text.split()) for text in texts)
        assert doc._.summary["coverage"] == 1.0
