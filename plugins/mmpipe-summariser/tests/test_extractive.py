"""Summaries made of a document's own sentences."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmpipe_summariser.component import _join
from mmpipe_summariser.factory import DEFAULTS
from spacy.language import Language
from spacy.tokens import Doc
from transformers import AutoTokenizer

import mmpipe
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.testing import AWKWARD_TEXTS

BACKBONE = "sentence-transformers/all-MiniLM-L6-v2"
ARTICLES = Path(__file__).parents[3] / "corpora" / "articles"
TEXT = (
    "The council voted on Monday to keep the bus. It is the only one in the valley.\n\n"
    "More than ninety people came to the meeting!   Some had walked for an hour. Nobody asked us, said one.\n"
    "The bus costs less than the street lights. It will run until spring."
)
SENTENCES = [
    "The council voted on Monday to keep the bus.",
    "It is the only one in the valley.",
    "More than ninety people came to the meeting!",
    "Some had walked for an hour.",
    "Nobody asked us, said one.",
    "The bus costs less than the street lights.",
    "It will run until spring.",
]


def load(checkpoint: str, lang: str = "en", **settings: Any) -> Language:
    model = {"name": checkpoint, "precision": "fp32", "device": "cpu", **settings.pop("model", {})}
    summary = {"factory": "mmpipe_summariser", "model": model, **settings}
    return mmpipe.load(
        {
            "nlp": {"lang": lang, "pipeline": ["sentencizer", "summary"]},
            "components": {"sentencizer": {"factory": "sentencizer"}, "summary": summary},
        }
    )


def check(doc: Doc) -> list[str]:
    """What holds for every extractive summary; returns its sentences."""
    summary, group = doc._.summary, doc.spans["summary"]
    texts = [doc.text[sent["start"] : sent["end"]] for sent in summary["sentences"]]
    assert texts == [span.text for span in group]
    assert all(text == text.strip() for text in texts)
    starts = [sent["start"] for sent in summary["sentences"]]
    assert starts == sorted(set(starts))
    assert group.attrs["scores"] == [sent["score"] for sent in summary["sentences"]]
    assert all(sent.start <= span.start and span.end <= sent.end for span in group for sent in [span.sent])
    assert "".join(summary["text"].split()) == "".join("".join(texts).split())
    json.dumps(summary, allow_nan=False)
    return texts


@pytest.fixture(scope="module")
def encoder(tiny_model: Callable[..., str]) -> str:
    return tiny_model("bert")


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_a_summary_is_made_of_the_documents_own_sentences(tiny_model: Callable[..., str], family: str) -> None:
    doc = load(tiny_model(family))(TEXT)
    texts = check(doc)
    assert len(texts) == 3 and set(texts) < set(SENTENCES)
    assert doc._.summary["text"] == " ".join(texts)
    assert doc._.summary["coverage"] == 1.0


@pytest.mark.parametrize(
    ("settings", "n_wanted"),
    [({"n_sentences": 1}, 1), ({"n_sentences": 99}, 7), ({"ratio": 0.3}, 2), ({"ratio": 0.01}, 1), ({"ratio": 1.0}, 7)],
)
def test_length_in_sentences_and_as_a_ratio(encoder: str, settings: dict[str, Any], n_wanted: int) -> None:
    texts = check(load(encoder, **settings)(TEXT))
    assert len(texts) == n_wanted
    if n_wanted == 7:
        assert texts == SENTENCES


@pytest.mark.parametrize("max_tokens", [1, 15, 30, 60, 1000])
def test_length_in_tokens_of_the_model(encoder: str, max_tokens: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    n_tokens = {text: len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in SENTENCES}
    texts = check(load(encoder, max_tokens=max_tokens)(TEXT))
    total = sum(n_tokens[text] for text in texts)
    assert total <= max_tokens or len(texts) == 1
    # Nothing that is left out would have fitted.
    assert all(total + n_tokens[text] > max_tokens for text in SENTENCES if text not in texts)


def test_scores_are_the_rankers_and_the_best_are_taken(encoder: str) -> None:
    doc = load(encoder, n_sentences=7, diversity=0.0)(TEXT)
    scores = [sent["score"] for sent in doc._.summary["sentences"]]
    best = [SENTENCES[i] for i in sorted(np.argsort(scores)[-2:])]
    assert check(load(encoder, n_sentences=2, diversity=0.0)(TEXT)) == best


def test_diversity_removes_repetition() -> None:
    text = " ".join(
        [
            "The river flooded the town on Friday night.",
            "The river flooded the town on Friday night!",
            "On Friday night the river flooded the town.",
            "Volunteers brought soup and blankets to the school.",
            "The bridge will stay shut for a month.",
        ]
    )
    model = {"scorer": "centrality"}
    plain = check(load(BACKBONE, n_sentences=2, diversity=0.0, model=model)(text))
    varied = check(load(BACKBONE, n_sentences=2, diversity=0.7, model=model)(text))
    assert all("river" in sentence for sentence in plain)
    assert sum("river" in sentence for sentence in varied) == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", ""), (" \n ", ""), ("Only one sentence.", "Only one sentence."), ("no full stop", "no full stop")],
)
def test_short_documents(encoder: str, text: str, wanted: str) -> None:
    doc = load(encoder)(text)
    assert check(doc) == ([wanted] if wanted else [])
    assert doc._.summary["text"] == wanted
    assert doc._.summary["coverage"] == 1.0


def test_a_stray_mark_is_no_sentence_of_a_summary(encoder: str) -> None:
    text = "👍. 😍! The soup was cold. ***. We left early. ---!"
    texts = check(load(encoder, n_sentences=9)(text))
    assert texts and all(any(c.isalnum() for c in sentence) for sentence in texts)
    assert load(encoder)("!!!")._.summary["text"] == "!!!"


def test_two_lengths_are_a_config_error(encoder: str) -> None:
    with pytest.raises(mmpipe.ConfigError, match="ratio and max_tokens are set"):
        load(encoder, ratio=0.5, max_tokens=9)


@pytest.mark.parametrize(
    "settings", [{"n_sentences": 0}, {"ratio": 0}, {"ratio": 1.5}, {"max_tokens": -1}, {"diversity": 2}]
)
def test_a_length_out_of_range_is_a_fault_with_its_place(encoder: str, settings: dict[str, Any]) -> None:
    with pytest.raises(mmpipe.ConfigError) as caught:
        load(encoder, **settings)
    assert [fault.where for fault in caught.value.faults] == [f"components.summary.{next(iter(settings))}"]


def test_field_and_spans_key(encoder: str) -> None:
    doc = load(encoder, field="gist", spans_key="chosen")(TEXT)
    assert [span.text for span in doc.spans["chosen"]] == [
        TEXT[sent["start"] : sent["end"]] for sent in doc._.gist["sentences"]
    ]
    assert list(doc.spans) == ["chosen"]


def test_awkward_texts_in_any_company(encoder: str) -> None:
    nlp = load(encoder)
    texts = [*AWKWARD_TEXTS.values(), TEXT]
    alone = [nlp(text) for text in texts]
    order = random.Random(1).sample(range(len(texts)), len(texts))
    for batch_size in (4, 100):
        for index, doc in zip(order, nlp.pipe([texts[i] for i in order], batch_size=batch_size), strict=True):
            check(doc)
            assert doc._.summary["text"] == alone[index]._.summary["text"]
            assert doc.spans["summary"].attrs["scores"] == pytest.approx(alone[index].spans["summary"].attrs["scores"])


def test_coverage_says_what_was_cut_off(encoder: str) -> None:
    long_sentence = " ".join(["cat"] * 500) + "."
    assert load(encoder)(long_sentence)._.summary["coverage"] == 1.0
    assert load(encoder, model={"long_text": "truncate"})(long_sentence)._.summary["coverage"] < 0.2


@pytest.mark.skipif(not ARTICLES.exists(), reason="corpora/ is not beside this distribution")
def test_a_chinese_article_is_joined_without_spaces() -> None:
    record = json.loads((ARTICLES / "articles.zh.jsonl").read_text("utf-8").splitlines()[0])
    doc = load(BACKBONE, lang="zh", n_sentences=8)(record["text"])
    texts = check(doc)
    assert len(texts) == 8 and all(text in record["text"] for text in texts)
    assert doc._.summary["text"] == "".join(texts)


@pytest.mark.parametrize(
    ("sentences", "joined"),
    [
        (["Good.", "Bad."], "Good. Bad."),
        (["你好。", "再见！", "好吗？", "好。"], "你好。再见！好吗？好。"),
        (["他说：“好。”", "“不。”", "完。"], "他说：“好。”“不。”完。"),
        (["（好。）", "「はい。」", "終。"], "（好。）「はい。」終。"),
        (["他走了……", "天黑了。"], "他走了……天黑了。"),
        (["And then…", "Nothing."], "And then… Nothing."),
        (["He said “no.”", "“Yes.”"], "He said “no.” “Yes.”"),
        (["two\n lines.", "x"], "two lines. x"),
        ([], ""),
    ],
)
def test_join(sentences: list[str], joined: str) -> None:
    assert _join(sentences) == joined


def test_every_setting_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {*inspect.signature(SentenceRanker).parameters, *inspect.signature(Seq2Seq).parameters, *DEFAULTS}
    assert not [name for name in names if f"\n| `{name}` |" not in readme]
