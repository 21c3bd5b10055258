"""Summaries over an encoder that the pipeline shares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, Model, fix_random_seed

import mmpipe
from mmpipe.component import sentences
from mmpipe.models import listener_ranker
from mmpipe.models.listener_ranker import ListenerRanker
from mmpipe.train.corpus import jsonl_corpus

TEXT = "the cat sat on the mat. it was a wonderful day, and lazy. never again, not even for free."
RECORDS = [
    {"text": TEXT, "summary": "it was a wonderful day"},
    {"text": "good dogs bark. the film was bad. never again.", "summary": "the film was bad"},
    {"text": "a text without a summary. it teaches nothing."},
]
CNN = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 16, "depth": 1}
CNN |= {"embed_size": 100, "window_size": 1, "maxout_pieces": 2, "subword_features": True}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16}


def pipeline(**summary: Any) -> Language:
    fix_random_seed(1)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    block = {"@architectures": "mmpipe.ListenerRanker.v1", "tok2vec": LISTENER, **summary}
    nlp.add_pipe("mmpipe_summariser", name="summary", config={"model": block, "n_sentences": 1})
    return nlp


def examples(nlp: Language, folder: Path) -> list[Example]:
    (folder / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    return list(jsonl_corpus(path=folder / "a.jsonl")(nlp))


def test_head_and_encoder_learn_and_are_saved(tmp_path: Path) -> None:
    nlp = pipeline(lead_weight=0.7)
    sgd = Adam(0.01, use_averages=False)
    nlp.initialize(lambda: examples(nlp, tmp_path), sgd=sgd)
    before = nlp(TEXT).tensor.copy()
    found = [
        nlp.update(examples(nlp, tmp_path), sgd=sgd, losses={}, annotates=["sentencizer"])["summary"] for _ in range(40)
    ]
    assert found[-1] < found[0] - 0.3
    assert np.abs(nlp(TEXT).tensor - before).max() > 0.01, "who listens teaches the encoder"
    assert [nlp(record["text"])._.summary["text"] for record in RECORDS[:2]] == [
        "it was a wonderful day, and lazy.",
        "the film was bad.",
    ]
    nlp.to_disk(tmp_path / "saved")
    loaded = mmpipe.load(tmp_path / "saved")
    assert loaded.get_pipe("summary").model.shims[0]._model.head.lead == 0.7
    for record in RECORDS:
        assert loaded(record["text"])._.summary == nlp(record["text"])._.summary
    again = pipeline(lead_weight=0.7).from_bytes(nlp.to_bytes())
    assert again(TEXT)._.summary == nlp(TEXT)._.summary


def test_what_is_learned_does_not_lean_on_the_prior(tmp_path: Path) -> None:
    nlp = pipeline(lead_weight=7.0)
    nlp.initialize(lambda: examples(nlp, tmp_path))
    model, doc = nlp.get_pipe("summary").model, nlp(TEXT)
    with_prior = model.predict([doc])[0].scores
    model.shims[0]._model.head.lead = 0.0
    without = model.predict([doc])[0].scores
    model.shims[0]._model.head.lead = 7.0
    learned = listener_ranker.forward(model, [nlp(TEXT)], True)[0][0].scores
    assert learned == pytest.approx(without, abs=1e-6) and np.abs(with_prior - without).max() > 0.1


def fixed(vectors: dict[str, np.ndarray]) -> Model:
    """A thinc model that gives each text its vectors, and keeps the gradients that it gets."""

    def forward(model: Model, docs: Any, is_train: bool) -> Any:
        return [vectors[doc.text] for doc in docs], lambda gradients: model.attrs.update(gradients=gradients) or []

    return Model("fixed", forward, dims={"nO": 16})


def test_the_gradient_is_torchs() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    docs = [nlp(TEXT), nlp(""), nlp("Bad  films. Good dogs.")]
    draw = np.random.default_rng(5)
    encoder = fixed({doc.text: draw.normal(size=(len(doc), 16)).astype("float32") for doc in docs})
    fix_random_seed(2)
    model = ListenerRanker(encoder)
    model.initialize(X=docs)
    rankings, backprop = model.begin_update(docs)
    targets = [np.array([0.2, 0.5, 0.3], "float32"), np.zeros(0, "float32"), np.array([1.0, 0.0], "float32")]
    loss, gradients = listener_ranker.loss(rankings, targets)
    backprop(gradients)
    rows = [torch.from_numpy(encoder.predict([doc])[0].copy()).requires_grad_() for doc in docs]
    head, total = model.shims[0]._model.head.eval(), torch.zeros(())
    for doc, of_doc, target in zip(docs, rows, targets, strict=True):
        sents = [[token.i for token in sent if not token.is_space] for sent in sentences(doc)]
        if sents:
            means = torch.stack([torch.nn.functional.normalize(of_doc[sent].mean(0), dim=0) for sent in sents])
            scores = head(means, torch.arange(len(sents)), torch.tensor([len(sent) for sent in sents]))
            total = total + torch.nn.functional.cross_entropy(scores, torch.from_numpy(target))
    total.backward()
    assert loss == pytest.approx(total.item() / 2, abs=1e-5)
    for mine, theirs in zip(encoder.attrs["gradients"], rows, strict=True):
        np.testing.assert_allclose(mine, np.zeros(theirs.shape) if theirs.grad is None else theirs.grad, atol=1e-5)


def test_an_untrained_one_says_so() -> None:
    with pytest.raises(mmpipe.ModelError, match="no weights before it has been trained"):
        ListenerRanker(fixed({})).predict([spacy.blank("en")(TEXT)])


def test_the_length_may_be_in_tokens(tmp_path: Path) -> None:
    nlp = pipeline()
    nlp.initialize(lambda: examples(nlp, tmp_path))
    nlp.get_pipe("summary").cfg |= {"n_sentences": None, "max_tokens": 14}
    assert 0 < sum(end["end"] - end["start"] for end in nlp(TEXT)._.summary["sentences"]) < len(TEXT)
    assert len(nlp(nlp(TEXT)._.summary["text"])) <= 14
