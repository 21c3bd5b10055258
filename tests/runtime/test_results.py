"""The result cache: the same results without the model, never wrong ones, and no run that it can break."""

from __future__ import annotations

import json
import pickle
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmpipe.errors import MmpipeError
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.image_to_text import ImageToText
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.runtime import results
from mmpipe.runtime.results import ResultCache, result_cache

pytest.importorskip("diskcache")
LABELS = ("bad", "good")
TEXTS = ["a good film", "the cat sat", "never again", "the quick brown fox " * 60]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(results.FOLDER, str(tmp_path / "cache"))
    return tmp_path / "cache"


def calls(model) -> list[int]:
    """How many inputs each call of the module has had; it fills as the model is used."""
    seen: list[int] = []
    module = shim_of(model).module
    module.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(len(next(iter(kwargs.values())))), with_kwargs=True
    )
    return seen


def logits(model, texts=TEXTS) -> np.ndarray:
    return np.stack([one.logits for one in model.predict(texts)])


def test_a_second_time_the_model_does_not_run(cache, tiny):
    def build(**options):
        return SequenceClassifier(tiny("bert", labels=LABELS), device="cpu", precision="fp32", **options)

    without_cache = logits(build())
    first = build(temperature=2.0)
    seen = calls(first)
    np.testing.assert_array_equal(logits(first), without_cache)
    assert seen == []  # The first model's results: a temperature comes after them.
    np.testing.assert_array_equal(logits(first, ["another text", *TEXTS[::-1]])[1:], without_cache[::-1])
    assert sum(seen) == 1


def test_other_weights_settings_and_windows_have_results_of_their_own(cache, tiny, tmp_path):
    folder = tiny("bert", labels=LABELS)
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    base = logits(SequenceClassifier(folder, device="cpu", precision="fp32"))
    for name, options in ((other, {}), (tiny("bert", labels=LABELS, seed=1), {}), (folder, {"max_tokens": 20})):
        model = SequenceClassifier(str(name), device="cpu", precision="fp32", **options)
        seen = calls(model)
        assert not np.array_equal(logits(model), base)
        assert seen


def test_written_texts_are_kept_by_their_options(cache, tiny):
    folder = tiny("bart")
    texts = {n: Seq2Seq(folder, device="cpu", max_new_tokens=n).predict(TEXTS) for n in (3, 12)}
    assert texts[3] != texts[12]
    model = Seq2Seq(folder, device="cpu", max_new_tokens=12)
    seen = calls(model)
    assert model.predict(TEXTS) == texts[12]
    assert seen == []


def test_captions_are_kept_and_equal_pictures_are_written_about_once(cache, tiny, monkeypatch):
    folder = tiny("vit-gpt2")
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)) for _ in range(2)]
    pictures.append(pictures[0].copy())
    monkeypatch.delenv(results.FOLDER)
    model = ImageToText(folder, device="cpu", max_new_tokens=5)
    wanted = model.predict(pictures)
    assert wanted[0] is wanted[2]
    monkeypatch.setenv(results.FOLDER, str(cache))
    assert model.predict(pictures) == wanted
    assert len(result_cache()) == 2
    again = ImageToText(folder, device="cpu", max_new_tokens=5)
    monkeypatch.setattr(shim_of(again).module, "generate", None)
    assert again.predict(pictures) == wanted


def test_models_in_training_are_left_out(cache, tiny):
    model = SequenceClassifier(tiny("bert", labels=LABELS), device="cpu", precision="fp32")
    shim_of(model).start_training()
    model.predict(TEXTS)
    assert not cache.exists()


def test_it_is_bounded(tmp_path):
    cache = ResultCache(tmp_path, 200_000)
    for number in range(400):
        cache.put([number.to_bytes(32, "big")], [np.full(1000, number, dtype=np.float32)])
    used = sum(file.stat().st_size for file in tmp_path.rglob("*") if not file.name.endswith(("-wal", "-shm")))
    assert used < 400_000
    newest, oldest = cache.get([(399).to_bytes(32, "big"), (0).to_bytes(32, "big")])
    np.testing.assert_array_equal(newest, np.full(1000, 399, dtype=np.float32))
    assert oldest is None


def test_what_is_damaged_is_missed(tmp_path):
    cache = ResultCache(tmp_path, 10**7)
    cache.put([b"a", b"b", b"c"], ["one", "two", "three"])
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE Cache SET value = ? WHERE key = ?", (b"nonsense of some length", b"a"))
        # A pickle that somebody has put there is not opened: diskcache's mode 4.
        loaded = pickle.dumps(pytest.fail)
        database.execute("UPDATE Cache SET mode = 4, value = ? WHERE key = ?", (loaded, b"b"))
    assert cache.get([b"a", b"b", b"c"]) == [None, None, "three"]


def test_a_cache_that_cannot_be_used_costs_nothing_but_time(tmp_path, monkeypatch, tiny, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(results.FOLDER, str(tmp_path / "file"))
    model = SequenceClassifier(tiny("bert", labels=LABELS), device="cpu", precision="fp32")
    assert logits(model).shape == (4, 2)
    assert "cannot be opened" in caplog.text
    monkeypatch.setenv(results.FOLDER, str(tmp_path / "broken"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/cache.db").write_bytes(b"no database" * 1000)
    assert logits(model).shape == (4, 2)
    with monkeypatch.context() as bad, pytest.raises(MmpipeError, match="gigabytes above 0"):
        bad.setenv(results.GIGABYTES, "many")
        logits(model)


def test_processes_share_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; from mmpipe.runtime.results import ResultCache\n"
        "cache = ResultCache(Path(sys.argv[1]), 10**8)\n"
        "for number in range(150):\n"
        "    key = number.to_bytes(4, 'big')\n"
        "    found, = cache.get([key])\n"
        "    assert found in (None, [number, 'text']), found\n"
        "    cache.put([key], [[number, 'text']])\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [(one.wait(120), one.communicate()[1]) for one in running] == [(0, "")] * 3
    assert ResultCache(tmp_path, 10**8).get([(149).to_bytes(4, "big")]) == [[149, "text"]]


def test_a_run_with_a_cache_gives_the_same_bytes(tmp_path, tiny):
    model = {"name": tiny("bert", labels=LABELS), "device": "cpu", "precision": "fp32"}
    pipeline = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "mmpipe_sentiment", "model": model}},
    }
    (tmp_path / "p.json").write_text(json.dumps(pipeline))
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 5))
    outputs = []
    for name, options in (("plain", []), ("first", ["--cache", "kept"]), ("second", ["--cache", "kept"])):
        command = ["-m", "mmpipe", "run", "p.json", "in.jsonl", "-o", f"{name}.jsonl", *options]
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        outputs.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(ResultCache(tmp_path / "kept", 10**9)) > 0
