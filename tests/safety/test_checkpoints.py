"""A checkpoint from a stranger: its weights and its vocabulary are read, from its own folder, and nothing else."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import Checkpoint
from mmpipe.models.files import Files
from mmpipe.models.reference import Reference
from mmpipe.testing.watch import watched


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple:
        return open, (self.trace, "w")


@pytest.fixture
def folder(home: Path, tiny: Callable[..., str]) -> Path:
    return shutil.copytree(tiny("bert", labels=("bad", "good")), home / "model")


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else {}) | changes))


def loaded(folder: Path, home: Path) -> Any:
    """Config, tokenizer and weights, watched: nothing is run, fetched, unpickled, or read outside the folder."""
    import transformers  # noqa: F401

    from mmpipe.models import grid_encoder  # noqa: F401

    with watched(home) as watch:
        try:
            checkpoint = Checkpoint(Reference(str(folder)), "AutoModelForSequenceClassification")
            found = checkpoint.load(), checkpoint.tokenizer
        finally:
            lines = [line for line in watch.seen if "secret" in line or not line.startswith("reads")]
            assert not lines
    return found


def test_a_good_one_is_loaded(folder: Path, home: Path) -> None:
    assert loaded(folder, home)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt", "tf_model.h5"])
def test_pickles_alone_are_refused(name: str, folder: Path, home: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Payload(home / "trace")))
    with pytest.raises(ModelError, match="no safetensors weights"):
        loaded(folder, home)
    assert not (home / "trace").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "training_args.bin", "optimizer.pt", "adapter_model.bin"])
def test_pickles_beside_the_weights_are_left_alone(name: str, folder: Path, home: Path) -> None:
    (folder / name).write_bytes(pickle.dumps(Payload(home / "trace")))
    assert loaded(folder, home)
    assert not (home / "trace").exists()


def test_pickled_weights_under_the_name_of_safe_ones(folder: Path, home: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Payload(home / "trace")))
    with pytest.raises(ModelError):
        loaded(folder, home)
    assert not (home / "trace").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("model_type", ["bert", "homemade"])
def test_code_of_its_own(file: str, model_type: str, folder: Path, home: Path) -> None:
    code = f"open({str(home / 'trace')!r}, 'w').close()\nC = M = T = generate = None\n"
    (folder / "homemade.py").write_text(code)
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(code)
    names = {"AutoConfig": "homemade.C", "AutoModelForSequenceClassification": "homemade.M"}
    edit(folder / file, auto_map=names | {"AutoTokenizer": ["homemade.T", "homemade.T"]}, trust_remote_code=True)
    if file != "preprocessor_config.json":
        edit(folder / "config.json", model_type=model_type)
    with contextlib.suppress(ModelError):
        loaded(folder, home)
    assert not (home / "trace").exists()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_attention_kernels_from_the_hub(key: str, is_nested: bool, folder: Path, home: Path) -> None:
    named = {key: "someone/kernels:attention"}
    edit(folder / "config.json", **({"text_config": named} if is_nested else named))
    with pytest.raises(ModelError, match="names code to fetch"):
        loaded(folder, home)


def test_an_adapter_that_names_another_base(folder: Path, home: Path) -> None:
    edit(folder / "adapter_config.json", base_model_name_or_path=str(home.parent / "secret"), peft_type="LORA")
    with pytest.raises(ModelError, match="it is an adapter"):
        loaded(folder, home)


@pytest.mark.parametrize("shard", ["../../secret/model.safetensors", "/etc/model.safetensors", "..", r"..\x", "", 5])
def test_shards_outside_the_folder(shard: Any, folder: Path, home: Path) -> None:
    edit(folder / "model.safetensors.index.json", weight_map={"a": shard}, metadata={})
    with pytest.raises(ModelError, match="weights outside the folder"):
        loaded(folder, home)


@pytest.mark.parametrize("key", ["vocab_file", "tokenizer_file", "merges_file", "special_tokens_map_file"])
def test_a_tokenizer_that_names_files_elsewhere(key: str, folder: Path, home: Path) -> None:
    edit(folder / "tokenizer_config.json", **{key: str(home.parent / "secret" / "secret.txt")})
    with pytest.raises(ModelError, match="lies outside the folder"):
        loaded(folder, home)


def test_a_tokenizer_that_was_saved_from_a_cache_reads_its_own_files(folder: Path, home: Path) -> None:
    text = "this film is good"
    expected = loaded(folder, home)[1](text)["input_ids"]
    shutil.copy(folder / "tokenizer.json", home.parent / "secret" / "tokenizer.json")
    edit(folder / "tokenizer_config.json", tokenizer_file=str(home.parent / "secret" / "tokenizer.json"))
    assert loaded(folder, home)[1](text)["input_ids"] == expected
    edit(folder / "tokenizer_config.json", tokenizer_file="/nowhere/tokenizer.json")
    assert loaded(folder, home)[1](text)["input_ids"] == expected


@pytest.mark.parametrize("key", ["../../secret/other_sha256", "/etc/other_sha256", r"..\other_sha256"])
def test_an_overlay_that_asks_for_the_hash_of_another_file(key: str, folder: Path) -> None:
    edit(folder / "overlay.json", **{key: "0" * 64})
    with pytest.raises(ModelError, match="does not map names to text"):
        Files.of(folder, name="x")


def test_an_overlay_on_a_base_that_is_no_packaged_one(folder: Path) -> None:
    edit(folder / "overlay.json", base="../../secret")
    with pytest.raises(ModelError, match="no packaged backbone"):
        Files.of(folder, name="x")


def test_a_sentence_head_is_data(folder: Path, home: Path) -> None:
    from mmpipe.models.sentence_head import SentenceHead

    (folder / "head.json").write_text(json.dumps({"os.system": "true"}))
    (folder / "head.safetensors").write_bytes(pickle.dumps(Payload(home / "trace")))
    with pytest.raises(TypeError, match=r"os\.system"):
        SentenceHead.from_folder(folder)
    assert not (home / "trace").exists()


class TestSaved:
    """A saved pipeline from a stranger."""

    @pytest.fixture
    def saved(self, folder: Path, home: Path) -> Path:
        import mmpipe

        model = {"name": str(folder), "device": "cpu"}
        tree = {
            "nlp": {"lang": "en", "pipeline": ["m"]},
            "components": {"m": {"factory": "mmpipe_sentiment", "model": model}},
        }
        mmpipe.load(tree).to_disk(home / "saved")
        return home / "saved"

    def test_what_was_saved_is_loaded_as_a_strangers(self, saved: Path, tried: Callable) -> None:
        assert tried(saved, untrusted=True, text="a film").error is None

    def test_links_that_lead_outside(self, saved: Path, home: Path, tried: Callable) -> None:
        file = saved / "vocab" / "strings.json"
        file.unlink()
        file.symlink_to(home.parent / "secret" / "secret.json")
        assert "links that lead outside" in tried(saved, untrusted=True, weights=False).said

    @pytest.mark.parametrize("name", ["tokenizer", "vocab/vectors", "vocab/lookups.bin", "vocab/key2row", "m/cfg"])
    def test_pickles_in_the_place_of_data(self, name: str, saved: Path, home: Path, tried: Callable) -> None:
        (saved / name).write_bytes(pickle.dumps(Payload(home / "trace")))
        tried(saved, weights=False)
        assert not (home / "trace").exists()

    def test_object_arrays_are_no_data(self, saved: Path, home: Path, tried: Callable) -> None:
        np.save(saved / "vocab" / "vectors", np.array([Payload(home / "trace")], dtype=object), allow_pickle=True)
        (saved / "vocab" / "vectors.npy").replace(saved / "vocab" / "vectors")
        assert tried(saved, weights=False).error is not None
        assert not (home / "trace").exists()

    def test_msgpack_with_arrays_of_objects(self, saved: Path, home: Path, tried: Callable) -> None:
        import srsly

        blob = pickle.dumps(Payload(home / "trace"))
        array = {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": blob}
        (saved / "tokenizer").write_bytes(srsly.msgpack_dumps({"prefix_search": array, "rules": array}))
        assert tried(saved, weights=False).error is not None
        assert not (home / "trace").exists()

    @pytest.mark.parametrize("model", ["../secret", "file:///etc", "/etc"])
    def test_a_pinned_reference_that_leads_elsewhere(self, model: str, saved: Path, tried: Callable) -> None:
        shutil.rmtree(saved / "m" / "model")
        pinned = {"model": model, "revision": None, "weights_sha256": "0" * 64}
        (saved / "m" / "reference.json").write_text(json.dumps(pinned))
        assert tried(saved, untrusted=True).error is not None

    @pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
    def test_bytes_that_hold_files_outside(self, name: str, saved: Path, home: Path) -> None:
        import srsly

        import mmpipe

        nlp = mmpipe.load(saved, weights=False)
        with watched(home, Path("/tmp/mmpipe-")), pytest.raises(ModelError, match="outside their folder"):
            nlp.get_pipe("m").from_bytes(srsly.msgpack_dumps({name: b"x"}))
        for odd in ([], "x", {"a": 1}, {"a": {"b": b"c"}}):
            with pytest.raises(ModelError, match="hold no files"):
                nlp.get_pipe("m").from_bytes(srsly.msgpack_dumps(odd))
