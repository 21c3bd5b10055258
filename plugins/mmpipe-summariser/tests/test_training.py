"""A summariser learns: sentences to choose, and words to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from mmpipe_summariser.gold import shares
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, fix_random_seed
from transformers import AutoModel

import mmpipe
from mmpipe.models import ranker
from mmpipe.models.ranker import SentenceRanker
from mmpipe.testing import tiny_checkpoint
from mmpipe.train.corpus import jsonl_corpus

DOCUMENT = ["the cat sat on the mat.", "it was a wonderful day.", "never again, not even for free."]
RECORDS = [
    {"text": " ".join(DOCUMENT), "summary": "it was wonderful."},
    {"text": "the dog is bad. the film was a good one for the day.", "summary": ["a good film", "other words"]},
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_checkpoint(tmp_path_factory.mktemp("bert"), "bert"))


def pipeline(encoder: str, has_sentencizer: bool = True, **model: Any) -> Language:
    fix_random_seed(1)
    nlp = spacy.blank("en")
    if has_sentencizer:
        nlp.add_pipe("sentencizer")
    block = {"@architectures": "mmpipe.SentenceRanker.v1", "name": encoder, "device": "cpu", "precision": "fp32"}
    nlp.add_pipe("mmpipe_summariser", name="summary", config={"model": {**block, **model}, "n_sentences": 1})
    return nlp


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[Language], list[Example]]:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    return lambda nlp: list(jsonl_corpus(path=tmp_path / "a.jsonl")(nlp))


def test_the_loss_is_listwise_over_the_scores_that_it_predicts(encoder: str) -> None:
    fix_random_seed(1)
    model = SentenceRanker(encoder, device="cpu", precision="fp32", training={"precision": "fp32"})
    documents, targets = [DOCUMENT, DOCUMENT[:2]], [np.array([0.2, 0.5, 0.3]), np.array([1.0, 0.0])]
    found = ranker.loss(model, documents, targets).item()
    wanted = 0.0
    for ranking, target in zip(model.predict(documents), targets, strict=True):
        wanted -= float(target @ (ranking.scores - np.log(np.exp(ranking.scores).sum()))) / 2
    assert found == pytest.approx(wanted, abs=1e-4)


def test_only_the_head_learns_and_both_are_saved(
    encoder: str, corpus: Callable[[Language], list[Example]], tmp_path: Path
) -> None:
    nlp = pipeline(encoder, lead_weight=0.7)
    sgd = Adam(0.01, use_averages=False)
    nlp.initialize(lambda: corpus(nlp), sgd=sgd)
    losses = [
        nlp.update(corpus(nlp), sgd=sgd, drop=0.1, losses={}, annotates=["sentencizer"])["summary"] for _ in range(30)
    ]
    assert losses[-1] < losses[0] - 0.1
    nlp.to_disk(tmp_path / "saved")
    folder = tmp_path / "saved" / "summary" / "model"
    assert json.loads((folder / "head.json").read_text("utf-8"))["lead"] == 0.7
    base, saved = (AutoModel.from_pretrained(name).state_dict() for name in (encoder, folder))
    assert base.keys() == saved.keys() and all((base[key] == saved[key]).all() for key in base)
    loaded = spacy.load(tmp_path / "saved")
    for record in RECORDS:
        assert loaded(record["text"])._.summary == nlp(record["text"])._.summary


def test_the_encoder_learns_where_nothing_is_frozen(
    encoder: str, corpus: Callable[[Language], list[Example]], tmp_path: Path
) -> None:
    nlp = pipeline(encoder, training={"frozen": [], "precision": "fp32"})
    sgd = Adam(0.01, use_averages=False)
    nlp.initialize(lambda: corpus(nlp), sgd=sgd)
    nlp.update(corpus(nlp), sgd=sgd, annotates=["sentencizer"])
    nlp.to_disk(tmp_path)
    base, saved = (AutoModel.from_pretrained(name).state_dict() for name in (encoder, tmp_path / "summary" / "model"))
    assert not (base["encoder.layer.0.output.dense.weight"] == saved["encoder.layer.0.output.dense.weight"]).all()


def test_sentences_that_nobody_finds_are_missed(encoder: str, corpus: Callable[[Language], list[Example]]) -> None:
    nlp = pipeline(encoder)
    nlp.initialize(lambda: corpus(nlp))
    with pytest.raises(mmpipe.ConfigError, match="annotating_components"):
        nlp.update(corpus(nlp))


def test_centrality_has_nothing_to_learn(encoder: str) -> None:
    assert not pipeline(encoder, scorer="centrality").get_pipe("summary").is_trainable
    assert pipeline(encoder).get_pipe("summary").is_trainable


def test_the_shares_of_sentences() -> None:
    by_overlap = shares(DOCUMENT, {"summary": "a wonderful day"})
    assert by_overlap.argmax() == 1 and by_overlap.sum() == pytest.approx(1.0)
    copied = {"summary": "the cat sat on the mat. never again, not even for free.", "title": "a wonderful day"}
    by_both = shares(DOCUMENT, copied)
    for title in (None, "the cat sat on the mat"):
        assert shares(DOCUMENT, {"summary": "a wonderful day", "title": title}) == pytest.approx(by_overlap)
    assert by_both[[0, 2]] == pytest.approx(0.25, abs=1e-3) and by_both[1] == pytest.approx(0.5, abs=1e-3)


def test_a_written_summary_is_learned(corpus: Callable[[Language], list[Example]], tmp_path: Path) -> None:
    checkpoint = str(tiny_checkpoint(tmp_path / "bart", "bart"))
    nlp = spacy.blank("en")
    block = {"@architectures": "mmpipe.Seq2Seq.v1", "name": checkpoint, "device": "cpu", "max_new_tokens": 12}
    nlp.add_pipe("mmpipe_summariser", name="summary", config={"model": {**block, "training": {"precision": "fp32"}}})
    sgd = Adam(0.003, use_averages=False)
    nlp.initialize(lambda: corpus(nlp), sgd=sgd)
    losses = [nlp.update(corpus(nlp), sgd=sgd, drop=0.0, losses={})["summary"] for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]
    nlp.to_disk(tmp_path / "saved")
    text = RECORDS[0]["text"]
    assert nlp(text)._.summary["text"].startswith("it was")
    assert spacy.load(tmp_path / "saved")(text)._.summary == nlp(text)._.summary
