"""Backends onnx and openvino against torch: the same checkpoint, the same texts."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpipe.errors import ModelError
from mmpipe.models import onnx_graph
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.exported import cache_folder
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.models.transformer import shim_of
from mmpipe.runtime import device
from mmpipe.testing import CLASSIFIERS, EXTRACTORS

LIBRARIES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}
LABELS = ("bad", "good")
TEXTS = ["This film is good.", "", "so " * 300, "Bad?", "猫が好きです", "one two three four five six seven eight"]


@pytest.fixture(params=LIBRARIES)
def backend(request: pytest.FixtureRequest) -> str:
    for library in LIBRARIES[request.param]:
        pytest.importorskip(library)
    return request.param


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_classifiers_give_the_logits_of_torch(backend, tiny, family):
    folder = tiny(family, labels=LABELS)
    ours = SequenceClassifier(folder, backend=backend, precision="fp32")
    wanted = SequenceClassifier(folder, precision="fp32", device="cpu").predict(TEXTS)
    try:
        got = ours.predict(TEXTS)
    except ModelError as error:
        # A family that ONNX cannot run says so, and is not run wrongly.
        assert f"backend {backend} cannot run" in str(error) and 'backend = "torch"' in str(error)
        assert family not in ("bert", "distilbert", "roberta", "electra", "xlm-roberta"), error
        return
    assert not shim_of(ours).is_torch
    for one, other in zip(wanted, got, strict=True):
        assert (one.logits is None) == (other.logits is None)
        if one.logits is not None:
            np.testing.assert_allclose(other.logits, one.logits, atol=1e-4)


@pytest.mark.parametrize("family", [family for family in EXTRACTORS if family in ("bert", "distilbert", "roberta")])
def test_extractors_give_the_logits_of_torch(backend, tiny, family):
    folder = tiny(family, has_spans=True)
    pairs = [("who?", text) for text in TEXTS]
    wanted = SpanExtractor(folder, precision="fp32", device="cpu").predict(pairs)
    for one, other in zip(wanted, SpanExtractor(folder, backend=backend, precision="fp32").predict(pairs), strict=True):
        assert len(one.windows) == len(other.windows)
        for first, second in zip(one.windows, other.windows, strict=True):
            np.testing.assert_allclose(second.start, first.start, atol=1e-4)
            np.testing.assert_allclose(second.end, first.end, atol=1e-4)


def test_encoders_give_the_vectors_of_torch_and_int8_is_near(backend, tiny):
    folder = tiny("bert")
    documents = [[text for text in TEXTS if text]]
    [wanted] = SentenceRanker(folder, precision="fp32", device="cpu", scorer="centrality").predict(documents)
    [got] = SentenceRanker(folder, backend=backend, precision="fp32", scorer="centrality").predict(documents)
    np.testing.assert_allclose(got.embeddings, wanted.embeddings, atol=1e-5)
    model = SentenceRanker(folder, backend=backend, precision="int8", scorer="centrality")
    [near] = model.predict(documents)
    assert not np.array_equal(near.embeddings, wanted.embeddings)
    assert ((near.embeddings * wanted.embeddings).sum(1) > 0.99).all(), "cosines"
    assert shim_of(model).provenance["precision"] == "int8"


def test_an_export_is_made_once(backend, tiny, monkeypatch):
    folder = tiny("bert", labels=LABELS)
    first = SequenceClassifier(folder, backend=backend, precision="fp32").predict(TEXTS)
    monkeypatch.setattr(import_module(f"mmpipe.models.{backend}_module"), "_make", None)
    second = SequenceClassifier(folder, backend=backend, precision="fp32").predict(TEXTS)
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(first, second, strict=True) if a.logits is not None)
    assert len(list((cache_folder() / backend).iterdir())) == 1, "nothing but the model is left"


def test_what_is_exported_wrongly_is_refused_or_falls_back(backend, tiny, monkeypatch, caplog):
    folder = tiny("bert", labels=LABELS)

    def wrong(checkpoint, module, file):
        with torch.no_grad():
            module.classifier.bias += 1
        write(checkpoint, module, file)
        with torch.no_grad():
            module.classifier.bias -= 1

    write = onnx_graph._write
    monkeypatch.setattr(onnx_graph, "_write", wrong)
    with pytest.raises(ModelError, match="its logits differ by 1"):
        SequenceClassifier(folder, backend=backend, precision="fp32").predict(TEXTS)
    model = SequenceClassifier(folder, backend=f"{backend} or torch", precision="fp32")
    wanted = SequenceClassifier(folder, precision="fp32", device="cpu").predict(TEXTS)
    np.testing.assert_array_equal(model.predict(TEXTS)[0].logits, wanted[0].logits)
    assert "torch runs it" in caplog.text and shim_of(model).is_torch


def test_what_cannot_be_is_said(backend, tiny, monkeypatch):
    folder = tiny("bert", labels=LABELS)
    with pytest.raises(ModelError, match="runs on the processor, not on 'cuda:0'"):
        SequenceClassifier(folder, backend=backend, device="cuda:0").predict(TEXTS)
    with pytest.raises(ModelError, match="no precision 'fp16'"):
        SequenceClassifier(folder, backend=backend, precision="fp16").predict(TEXTS)
    monkeypatch.setattr(device, "has_bf16", lambda device: False)
    with pytest.raises(ModelError, match=r"no (precision 'bf16'|bf16 on this processor)"):
        SequenceClassifier(folder, backend=backend, precision="bf16").predict(TEXTS)
    with pytest.raises(ModelError, match='set backend = "openvino"'):
        SequenceClassifier(folder, precision="int8").predict(TEXTS)
    with pytest.raises(ModelError, match=f"no backend '{backend}' for"):
        Seq2Seq(tiny("bart"), backend=backend)
    with pytest.raises(ModelError, match="no backend 'jax' for"):
        SequenceClassifier(folder, backend="jax")
    monkeypatch.setitem(sys.modules, LIBRARIES[backend][-1], None)
    with pytest.raises(ModelError, match=rf"pip install 'mmpipe\[{backend}\]'"):
        SequenceClassifier(folder, backend=backend, precision="fp32").predict(TEXTS)


def test_a_saved_pipeline_is_a_plain_checkpoint(backend, tiny, tmp_path):
    import mmpipe

    config = {"factory": "mmpipe_sentiment", "model": {"name": tiny("bert", labels=LABELS), "backend": backend}}
    pytest.importorskip("mmpipe_sentiment")
    nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": config}})
    scores = [doc._.sentiment["scores"] for doc in nlp.pipe(TEXTS[:1])]
    nlp.to_disk(tmp_path / "saved")
    again = mmpipe.load(tmp_path / "saved")
    assert [doc._.sentiment["scores"] for doc in again.pipe(TEXTS[:1])] == scores
    if backend == "openvino":
        with pytest.raises(ValueError, match="does not live through a fork"):
            list(nlp.pipe(TEXTS[:1] * 4, n_process=2, batch_size=2))
        return
    in_processes = [doc._.sentiment["scores"] for doc in nlp.pipe(TEXTS[:1] * 4, n_process=2, batch_size=2)]
    assert in_processes == scores * 4


@pytest.mark.parametrize("precision", ["fp32", "auto", "int8"])
def test_openvino_in_each_precision(tiny, precision):
    pytest.importorskip("openvino")
    folder, texts = tiny("bert", labels=LABELS), [f"{text} {word}" for text in TEXTS for word in ("one", "two", "six")]
    model = SequenceClassifier(folder, backend="openvino", precision=precision)
    together = model.predict(texts)
    for text, wanted in zip(texts, together, strict=True):
        # The kernels that OpenVINO takes for layers as small as these, in int8, depend on the number of rows.
        atol = 0.02 if precision == "int8" else 0.0
        np.testing.assert_allclose(model.predict([text])[0].logits, wanted.logits, atol=atol, rtol=0)
    plain = SequenceClassifier(folder, precision="fp32", device="cpu").predict(texts)
    differences = [np.abs(a.logits - b.logits).max() for a, b in zip(together, plain, strict=True)]
    assert max(differences) < {"fp32": 1e-4}.get(precision, 0.05)
    shown = shim_of(model).provenance["precision"]
    assert shown == (precision if precision != "auto" else device.place("cpu").precision)


def test_openvinos_weights_in_8_bits_are_scaled_by_output():
    openvino = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    from mmpipe.models.openvino_module import quantise

    draw = np.random.default_rng(0)
    weights = draw.normal(size=(64, 48)).astype(np.float32) * np.logspace(-3, 2, 48, dtype=np.float32)
    rows = draw.normal(size=(5, 64)).astype(np.float32)
    given = ops.parameter([-1, 64], np.float32, name="rows")
    model = openvino.Model([ops.matmul(given, ops.constant(weights), False, False)], [given])
    quantise(model)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    [found] = openvino.Core().compile_model(model, "CPU", settings)(rows).values()
    step = np.abs(weights).max(0) / 127
    assert (np.abs(found - rows @ weights) <= step / 2 * np.abs(rows).sum(1, keepdims=True) * 1.001 + 1e-6).all()
    assert (found != rows @ weights).any()
