"""The shipped pipeline whose sentiment and summaries listen to one encoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mmpipe
from mmpipe.models.transformer import shim_of

CORPORA = Path(__file__).parents[2] / "corpora"


@pytest.mark.skipif(not CORPORA.exists(), reason="corpora/ is not beside this distribution")
def test_the_shipped_pipeline_reads_each_text_once_and_tells_sentiment_and_summary() -> None:
    for plugin in ("mmpipe_sentiment", "mmpipe_summariser"):
        pytest.importorskip(plugin)
    nlp = mmpipe.load(CORPORA / "one_pass" / "pipeline")
    rows = [json.loads(line) for line in (CORPORA / "reviews" / "reviews.jsonl").open(encoding="utf-8")]
    seen: list[int] = []
    module = shim_of(nlp.get_pipe("tok2vec").model).module
    hook = module.register_forward_hook(lambda part, given, made: seen.append(len(made.last_hidden_state)))
    docs = list(nlp.pipe([row["text"] for row in rows]))
    hook.remove()
    assert sum(seen) == len(rows), "no review is longer than a window"
    right = [doc._.sentiment["label"] == row["label"] for doc, row in zip(docs, rows, strict=True)]
    plain = [is_right for is_right, row in zip(right, rows, strict=True) if row["style"] == "plain"]
    assert sum(plain) / len(plain) >= 0.9
    for doc in docs:
        kept = [doc.text[sent["start"] : sent["end"]] for sent in doc._.summary["sentences"]]
        assert 1 <= len(kept) <= 3 and " ".join(kept) == doc._.summary["text"]
