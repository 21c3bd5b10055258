"""Weights are in memory once for all who name them, and gone with the last of them."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import time
import weakref

import torch

from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.ranker import SentenceRanker
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.runtime.cache import SharedCache

LABELS = ("bad", "good")


def module_of(name, build=SequenceClassifier, **options):
    return shim_of(build(str(name), device="cpu", **options)).module


def test_equal_weights_are_one_module(tiny, tmp_path):
    """Known by their content: a copy elsewhere is the same model."""
    folder = tiny("bert", labels=LABELS)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert module_of(folder, precision="fp32") is module_of(copy, precision="fp32", max_tokens=32)


def test_what_differs_is_not_shared(tiny):
    folder = tiny("bert", labels=LABELS)
    plain, half = module_of(folder, precision="fp32"), module_of(folder, precision="bf16")
    other = module_of(tiny("bert", labels=LABELS, seed=1), precision="fp32")
    encoder = module_of(folder, SentenceRanker, precision="fp32")
    assert len({id(plain), id(half), id(other), id(encoder)}) == 4
    assert next(half.parameters()).dtype == torch.bfloat16 and next(plain.parameters()).dtype == torch.float32


def test_equal_weights_with_other_settings_are_not_shared(tiny, tmp_path):
    """A checkpoint's generation settings live on its module."""
    folder = tiny("t5")
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "generation_config.json").read_text())
    (copy / "generation_config.json").write_text(json.dumps(settings | {"max_new_tokens": 2}))
    models = [Seq2Seq(str(name), device="cpu") for name in (folder, copy)]
    long, short = (model.predict(["the cat sat on the mat"])[0].text for model in models)
    assert long.startswith(short) and len(short) < len(long)


def test_module_is_freed_with_its_last_user(tiny):
    folder = tiny("distilbert", labels=LABELS)
    models = [SequenceClassifier(folder, device="cpu", precision="fp32") for _ in range(2)]
    for model in models:
        model.predict(["good"])
    module = weakref.ref(shim_of(models[0]).module)
    models.pop()
    del model
    gc.collect()
    assert module() is not None
    models.pop()
    gc.collect()
    assert module() is None


def test_threads_that_ask_together_get_one_value():
    class Value:
        pass

    cache: SharedCache[Value] = SharedCache()
    made, got = [], []

    def make() -> Value:
        time.sleep(0.02)
        made.append(1)
        return Value()

    threads = [threading.Thread(target=lambda: got.append(cache.get("key", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(got) == 8 and len({id(value) for value in got}) == 1
    got.clear()
    gc.collect()
    assert len(cache) == 0


def test_threads_that_share_a_model_do_not_disturb_each_other(tiny):
    """A tokenizer keeps truncation and padding as state; long and short texts at once must not mix them up."""
    folder = tiny("roberta", labels=LABELS)
    texts = {n: ["the cat sat on the mat and " * n, "good"] for n in (1, 20, 60)}
    models = {
        (n, policy): SequenceClassifier(folder, device="cpu", precision="fp32", long_text=policy)
        for n in texts
        for policy in ("window", "truncate")
    }
    expected = {key: [r.logits.tolist() for r in model.predict(texts[key[0]])] for key, model in models.items()}
    wrong = []

    def work(key) -> None:
        for _ in range(5):
            if [r.logits.tolist() for r in models[key].predict(texts[key[0]])] != expected[key]:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(key,)) for key in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
