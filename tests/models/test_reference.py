"""What a model reference may be, and what is said where it cannot be used."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from mmpipe.errors import MmpipeError, ModelError
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.files import Files
from mmpipe.models.reference import Reference, _is_complete

TEXT = "this film is good"


@pytest.fixture
def folder(tiny, tmp_path) -> Path:
    """A checkpoint to break."""
    return shutil.copytree(tiny("bert", labels=("bad", "good")), tmp_path / "model")


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Any connection fails the test, even where its error is caught."""
    calls = []

    def refuse(*args, **kwargs):
        calls.append(args)
        raise OSError("this test has no network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield
    assert not calls


def classify(name: Path | str, **options) -> np.ndarray:
    return SequenceClassifier(str(name), device="cpu", precision="fp32", **options).predict([TEXT])[0].logits


def edit_json(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


class TestName:
    @pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", ""])
    def test_folder_that_is_not_there(self, name, no_network):
        with pytest.raises(ModelError, match="no model folder") as caught:
            Reference(name).locate()
        assert "mmpipe/sentiment-small" in str(caught.value)

    def test_shipped_name_misspelt(self):
        with pytest.raises(MmpipeError, match="mmpipe/sentiment-small"):
            Reference("mmpipe/sentment-small").locate()

    @pytest.mark.parametrize("is_by_setting", [False, True])
    def test_hub_id_offline(self, monkeypatch, no_network, is_by_setting):
        monkeypatch.setenv("HF_HUB_OFFLINE", "0" if is_by_setting else "1")
        with pytest.raises(ModelError, match="the network is forbidden") as caught:
            Reference("someone/some-model", "abc123", offline=is_by_setting).locate()
        assert "hf download someone/some-model --revision abc123" in caught.value.next_step

    def test_hub_id_in_the_cache_is_pinned_to_its_commit(self, folder, tmp_path, no_network):
        """A cache laid out as huggingface_hub does, under the branch `main`."""
        commit = "0123456789abcdef0123456789abcdef01234567"
        repository = tmp_path / "hub" / "models--someone--some-model"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit)
        shutil.copytree(folder, repository / "snapshots" / commit)
        model = SequenceClassifier("someone/some-model", device="cpu", precision="fp32", offline=True)
        np.testing.assert_array_equal(model.predict([TEXT])[0].logits, classify(folder))
        assert model.shims[0].provenance["revision"] == commit

    def test_download_that_was_cut_short(self, tiny, folder):
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        assert not _is_complete(folder)
        model.save_pretrained(folder, max_shard_size="20KB")
        assert _is_complete(folder)
        next(folder.glob("model-00002*")).unlink()
        assert not _is_complete(folder)

    def test_network_failure_is_a_model_error(self, monkeypatch):
        import huggingface_hub

        def fail(*args, local_files_only, **kwargs):
            raise huggingface_hub.errors.LocalEntryNotFoundError("") if local_files_only else RuntimeError()

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        with pytest.raises(ModelError, match="cannot be fetched: RuntimeError"):
            Reference("someone/some-model").locate()


class TestFolder:
    def test_sharded_weights(self, folder):
        expected = classify(folder)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
        assert len(list(folder.glob("*.safetensors"))) > 2
        np.testing.assert_array_equal(classify(folder), expected)

    def test_half_precision_weights_are_read_in_full(self, folder):
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).to(torch.bfloat16)
        model.save_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        with torch.no_grad():
            expected = model.float()(**tokenizer(TEXT, return_tensors="pt")).logits[0].numpy()
        np.testing.assert_allclose(classify(folder), expected, atol=1e-5)

    def test_pickled_weights_alone(self, folder):
        (folder / "model.safetensors").unlink()
        torch.save({}, folder / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"no safetensors weights, only pytorch_model\.bin"):
            classify(folder)

    @pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
    @pytest.mark.parametrize("content", [b"", b"{]", b"{}", b"\xff\xfe\x00"])
    def test_corrupt_file(self, folder, file, content):
        (folder / file).write_bytes(content)
        with pytest.raises(ModelError) as caught:
            classify(folder)
        assert caught.value.where == str(folder)

    @pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer"])
    def test_missing_file(self, folder, file):
        """transformers 5 makes up an empty tokenizer where there is none."""
        for path in folder.glob(f"{file}*"):
            path.unlink()
        with pytest.raises(ModelError):
            classify(folder)

    def test_loading_draws_nothing(self, folder, capfd):
        classify(folder)
        assert capfd.readouterr().err == ""

    def test_truncated_weights(self, folder):
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
        with pytest.raises(ModelError, match="weights"):
            classify(folder)

    def test_checkpoint_without_a_head_is_refused_and_not_filled_at_random(self, tiny):
        with pytest.raises(ModelError, match=r"no weights for classifier\.bias, classifier\.weight"):
            classify(tiny("bert"))

    def test_head_of_another_size(self, folder):
        edit_json(folder / "config.json", id2label={0: "a", 1: "b", 2: "c"}, label2id={"a": 0, "b": 1, "c": 2})
        with pytest.raises(ModelError, match="weights"):
            classify(folder)

    @pytest.mark.parametrize("model_type", ["bert", "homemade"])
    def test_code_of_its_own_never_runs(self, folder, tmp_path, model_type):
        trace = tmp_path / "trace"
        code = f"open({str(trace)!r}, 'w').close()\nfrom transformers import BertConfig as C\n"
        code += "from transformers import BertForSequenceClassification as M\n"
        (folder / "homemade.py").write_text(code)
        auto_map = {"AutoConfig": "homemade.C", "AutoModelForSequenceClassification": "homemade.M"}
        expected = classify(folder) if model_type == "bert" else None
        edit_json(folder / "config.json", model_type=model_type, auto_map=auto_map)
        if expected is None:
            with pytest.raises(ModelError, match="without code of its own"):
                classify(folder)
        else:
            np.testing.assert_array_equal(classify(folder), expected)
        assert not trace.exists()

    def test_plugin_whose_folder_is_gone(self, tmp_path):
        with pytest.raises(ModelError, match="is missing"):
            Files.of(tmp_path / "gone", name="mmpipe/gone")
