"""Backend onnx against torch: the same checkpoint, the same texts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpipe.errors import ModelError
from mmpipe.models import onnx_module
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.exported import cache_folder
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.models.transformer import shim_of
from mmpipe.testing import CLASSIFIERS, EXTRACTORS

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

LABELS = ("bad", "good")
TEXTS = ["This film is good.", "", "so " * 300, "Bad?", "猫が好きです", "one two three four five six seven eight"]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_classifiers_give_the_logits_of_torch(tiny, family):
    folder = tiny(family, labels=LABELS)
    ours = SequenceClassifier(folder, backend="onnx")
    wanted = SequenceClassifier(folder, precision="fp32", device="cpu").predict(TEXTS)
    try:
        got = ours.predict(TEXTS)
    except ModelError as error:
        # A family that ONNX cannot run says so, and is not run wrongly.
        assert "backend onnx cannot run" in str(error) and 'backend = "torch"' in str(error)
        assert family not in ("bert", "distilbert", "roberta", "electra", "xlm-roberta"), error
        return
    assert not shim_of(ours).is_torch
    for one, other in zip(wanted, got, strict=True):
        assert (one.logits is None) == (other.logits is None)
        if one.logits is not None:
            np.testing.assert_allclose(other.logits, one.logits, atol=1e-4)


@pytest.mark.parametrize("family", [family for family in EXTRACTORS if family in ("bert", "distilbert", "roberta")])
def test_extractors_give_the_logits_of_torch(tiny, family):
    folder = tiny(family, has_spans=True)
    pairs = [("who?", text) for text in TEXTS]
    wanted = SpanExtractor(folder, precision="fp32", device="cpu").predict(pairs)
    for one, other in zip(wanted, SpanExtractor(folder, backend="onnx").predict(pairs), strict=True):
        assert len(one.windows) == len(other.windows)
        for first, second in zip(one.windows, other.windows, strict=True):
            np.testing.assert_allclose(second.start, first.start, atol=1e-4)
            np.testing.assert_allclose(second.end, first.end, atol=1e-4)


def test_encoders_give_the_vectors_of_torch_and_int8_is_near(tiny):
    folder = tiny("bert")
    documents = [[text for text in TEXTS if text]]
    [wanted] = SentenceRanker(folder, precision="fp32", device="cpu", scorer="centrality").predict(documents)
    [got] = SentenceRanker(folder, backend="onnx", scorer="centrality").predict(documents)
    np.testing.assert_allclose(got.embeddings, wanted.embeddings, atol=1e-5)
    model = SentenceRanker(folder, backend="onnx", precision="int8", scorer="centrality")
    [near] = model.predict(documents)
    assert not np.array_equal(near.embeddings, wanted.embeddings)
    assert ((near.embeddings * wanted.embeddings).sum(1) > 0.99).all(), "cosines"
    assert shim_of(model).provenance["precision"] == "int8"


def test_an_export_is_made_once(tiny, monkeypatch):
    folder = tiny("bert", labels=LABELS)
    first = SequenceClassifier(folder, backend="onnx").predict(TEXTS)
    monkeypatch.setattr(onnx_module, "_make", None)
    second = SequenceClassifier(folder, backend="onnx").predict(TEXTS)
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(first, second, strict=True) if a.logits is not None)
    assert len(list((cache_folder() / "onnx").iterdir())) == 1, "nothing but the model is left"


def test_what_is_exported_wrongly_is_refused_or_falls_back(tiny, monkeypatch, caplog):
    folder = tiny("bert", labels=LABELS)

    def wrong(checkpoint, module, file):
        with torch.no_grad():
            module.classifier.bias += 1
        export(checkpoint, module, file)
        with torch.no_grad():
            module.classifier.bias -= 1

    export = onnx_module._export
    monkeypatch.setattr(onnx_module, "_export", wrong)
    with pytest.raises(ModelError, match="its logits differ by 1"):
        SequenceClassifier(folder, backend="onnx").predict(TEXTS)
    model = SequenceClassifier(folder, backend="onnx or torch")
    wanted = SequenceClassifier(folder, precision="fp32", device="cpu").predict(TEXTS)
    np.testing.assert_array_equal(model.predict(TEXTS)[0].logits, wanted[0].logits)
    assert "torch runs it" in caplog.text and shim_of(model).is_torch


def test_what_cannot_be_is_said(tiny, monkeypatch):
    folder = tiny("bert", labels=LABELS)
    with pytest.raises(ModelError, match="runs on the processor, not on 'cuda:0'"):
        SequenceClassifier(folder, backend="onnx", device="cuda:0").predict(TEXTS)
    with pytest.raises(ModelError, match="no precision 'bf16'"):
        SequenceClassifier(folder, backend="onnx", precision="bf16").predict(TEXTS)
    with pytest.raises(ModelError, match='set backend = "onnx"'):
        SequenceClassifier(folder, precision="int8").predict(TEXTS)
    with pytest.raises(ModelError, match="no backend 'onnx' for"):
        Seq2Seq(tiny("bart"), backend="onnx")
    with pytest.raises(ModelError, match="no backend 'jax' for"):
        SequenceClassifier(folder, backend="jax")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'mmpipe\[onnx\]'"):
        SequenceClassifier(folder, backend="onnx").predict(TEXTS)


def test_a_saved_pipeline_is_a_plain_checkpoint(tiny, tmp_path):
    import mmpipe

    config = {"factory": "mmpipe_sentiment", "model": {"name": tiny("bert", labels=LABELS), "backend": "onnx"}}
    pytest.importorskip("mmpipe_sentiment")
    nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": config}})
    scores = [doc._.sentiment["scores"] for doc in nlp.pipe(TEXTS[:1])]
    nlp.to_disk(tmp_path / "saved")
    again = mmpipe.load(tmp_path / "saved")
    assert [doc._.sentiment["scores"] for doc in again.pipe(TEXTS[:1])] == scores
    in_processes = [doc._.sentiment["scores"] for doc in nlp.pipe(TEXTS[:1] * 4, n_process=2, batch_size=2)]
    assert in_processes == scores * 4
