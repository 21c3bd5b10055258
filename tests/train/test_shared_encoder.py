"""One encoder for several components: it runs once a batch, and all who listen teach it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import Model

import mmpipe

CNN = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 16, "depth": 1}
CNN |= {"embed_size": 100, "window_size": 1, "maxout_pieces": 2, "subword_features": True}


def tree(corpus: Path, encoder: str, block: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    textcat = {"@architectures": "spacy.TextCatReduce.v1", "exclusive_classes": True, "use_reduce_mean": True}
    textcat |= {"use_reduce_first": False, "use_reduce_last": False, "use_reduce_max": False, "tok2vec": listener}
    sentiment = {"@architectures": "mmpipe.ListenerClassifier.v1", "tok2vec": dict(listener)}
    return {
        "paths": {"train": str(corpus / "train.jsonl"), "dev": str(corpus / "dev.jsonl")},
        "nlp": {"lang": "en", "pipeline": [encoder, "textcat", "sentiment"]},
        "components": {
            encoder: {"factory": encoder, "model": block},
            "textcat": {"factory": "textcat", "model": textcat},
            "sentiment": {"factory": "mmpipe_sentiment", "model": sentiment},
        },
        "corpora": {
            name: {"@readers": "mmpipe.JsonlCorpus.v1", "path": f"${{paths.{name}}}"} for name in ("train", "dev")
        },
        "training": {
            "max_steps": 30,
            "eval_frequency": 10,
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 16},
            "optimizer": {"@optimizers": "Adam.v1", "learn_rate": 0.01},
            "score_weights": {"sentiment_accuracy": 1.0, "cats_score": None},
        },
    }


def count_passes(model: Model) -> list[int]:
    """How many documents each pass through a thinc model sees, from now on."""
    seen, forward = [], model._func

    def counted(model: Model, docs: Any, is_train: bool) -> Any:
        seen.append(len(docs))
        return forward(model, docs, is_train)

    model.replace_callbacks(counted, init=model.init)
    return seen


def check(nlp: Language, encoder: str, corpus: Path) -> None:
    texts = [json.loads(line) for line in (corpus / "dev.jsonl").read_text("utf-8").splitlines()]
    passes = count_passes(nlp.get_pipe(encoder).model)
    docs = list(nlp.pipe([row["text"] for row in texts], batch_size=10))
    assert passes == [10, 10, 10], "the encoder runs once for all who listen"
    right = sum(doc._.sentiment["label"] == row["label"] for doc, row in zip(docs, texts, strict=True))
    assert right >= 27
    assert nlp("")._.sentiment["label"] is None
    with nlp.select_pipes(disable=["sentiment"]):
        others = [max(doc.cats, key=doc.cats.get) for doc in nlp.pipe([row["text"] for row in texts])]
    assert sum(label == row["label"] for label, row in zip(others, texts, strict=True)) >= 27, "textcat learned, too"
    examples = [Example.from_dict(nlp.make_doc(row["text"]), {"cats": {row["label"]: 1.0}}) for row in texts[:8]]
    passes.clear()
    nlp.update(examples, sgd=False)
    assert passes == [8], "in training, too"


def test_spacys_tok2vec_is_shared(corpus: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    config = tree(corpus, "tok2vec", CNN, {"@architectures": "spacy.Tok2VecListener.v1", "width": 16})
    trained = run(config, tmp_path / "out")
    assert trained.best_score > 0.9
    loaded = mmpipe.load(tmp_path / "out" / "model-last")
    assert loaded.get_pipe("tok2vec").listening_components == ["textcat", "sentiment"]
    for text in ("the wonderful film", "never it is"):
        np.testing.assert_allclose(list(loaded(text).cats.values()), list(trained.nlp(text).cats.values()), atol=1e-6)
    check(loaded, "tok2vec", corpus)


def test_a_transformer_is_shared(
    corpus: Path, tmp_path: Path, run: Callable[..., Any], tiny: Callable[..., str]
) -> None:
    pytest.importorskip("spacy_transformers", reason="spacy-transformers does not go with transformers 5")
    block = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": tiny("bert"), "tokenizer_config": {}}
    block |= {"get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"}}
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1", "grad_factor": 1.0}
    listener |= {"pooling": {"@layers": "reduce_mean.v1"}}
    config = tree(corpus, "transformer", block, listener)
    trained = run(config, tmp_path / "out")
    assert trained.best_score > 0.8
    check(spacy.load(tmp_path / "out" / "model-last"), "transformer", corpus)


def test_an_encoder_of_mmpipes_is_shared(
    corpus: Path, tmp_path: Path, run: Callable[..., Any], tiny: Callable[..., str]
) -> None:
    block = {"@architectures": "mmpipe.TokenEncoder.v1", "name": tiny("bert"), "width": 32}
    block |= {"device": "cpu", "precision": "fp32"}  # As it learns: what "auto" rounds to is another elsewhere.
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32}
    config = tree(corpus, "tok2vec", block | {"training": {"precision": "fp32"}}, listener)
    config["training"]["optimizer"]["learn_rate"] = 0.003
    trained = run(config, tmp_path / "out")
    assert trained.best_score > 0.8
    loaded = mmpipe.load(tmp_path / "out" / "model-last")
    for text in ("the wonderful film", "never it is"):
        np.testing.assert_allclose(list(loaded(text).cats.values()), list(trained.nlp(text).cats.values()), atol=1e-4)
    check(loaded, "tok2vec", corpus)


def test_a_frozen_encoder_is_named_and_not_saved(
    corpus: Path, tmp_path: Path, run: Callable[..., Any], tiny: Callable[..., str]
) -> None:
    block = {"@architectures": "mmpipe.TokenEncoder.v1", "name": tiny("bert"), "width": 32}
    block |= {"device": "cpu", "precision": "fp32"}  # As it learns: what "auto" rounds to is another elsewhere.
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32}
    config = tree(corpus, "tok2vec", block, listener)
    config["training"] |= {"frozen_components": ["tok2vec"], "annotating_components": ["tok2vec"]}
    trained = run(config, tmp_path / "out")
    folder = tmp_path / "out" / "model-last"
    assert (folder / "tok2vec" / "model").stat().st_size < 2000
    text = "the wonderful film"
    wanted = mmpipe.load(
        {"nlp": {"lang": "en", "pipeline": ["tok2vec"]}, "components": {"tok2vec": config["components"]["tok2vec"]}}
    )
    np.testing.assert_array_equal(spacy.load(folder)(text).tensor, wanted(text).tensor)
    assert spacy.load(folder)(text).cats == trained.nlp(text).cats


def test_sentences_cannot_be_listened_to(corpus: Path) -> None:
    config = tree(corpus, "tok2vec", CNN, {"@architectures": "spacy.Tok2VecListener.v1", "width": 16})
    config["components"]["sentiment"]["per_sentence"] = True
    with pytest.raises(mmpipe.ConfigError, match="per_sentence"):
        mmpipe.load({"nlp": config["nlp"], "components": config["components"]})
