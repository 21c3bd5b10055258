"""A training that is killed and resumed gives the bytes of one that was not."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confection import Config

import mmpipe
from mmpipe.train.checkpoint import Checkpoints

KILLED = """
import os, signal, sys
from mmpipe.train import checkpoint, loop
from mmpipe.cli.main import main

place, n = sys.argv.pop(1), int(sys.argv.pop(1))
update, store = loop.Loop._update, checkpoint.store_weights

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def killed_update(self, index, epoch, batch):
    if place == "update" and index == n:
        self.nlp.update(batch, sgd=False, losses={})  # gradients are there, weights not yet
        kill()
    update(self, index, epoch, batch)

def killed_store(nlp, optimizer, folder):
    global n
    n -= 1
    store(nlp, optimizer, folder)
    if place == "store" and n == 0:
        kill()

loop.Loop._update = killed_update
checkpoint.store_weights = killed_store
main()
"""


def kill(place: str, n: int, config: Path, output: Path) -> None:
    arguments = [sys.executable, "-c", KILLED, place, str(n), "train", str(config), "-o", str(output), "--save-every=3"]
    done = subprocess.run(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def files(output: Path) -> dict[str, bytes]:
    """What counts of an output folder: both pipelines whole, and the log without its times."""
    found = {
        str(file.relative_to(output)): file.read_bytes()
        for name in ("model-best", "model-last")
        for file in (output / name).rglob("*")
        if file.is_file()
    }
    with (output / "training.csv").open(newline="") as stream:
        table = [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(stream)]
    return found | {"training.csv": repr(table).encode()}


@pytest.mark.parametrize(("place", "n"), [("update", 10), ("store", 3)])
def test_killed_and_resumed_is_as_never_killed(
    tmp_path: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any], place: str, n: int
) -> None:
    tree = config(training={"precision": "fp32", "average_decay": 0.9, "frozen": ["*.embeddings.*"]})
    tree["training"] |= {"accumulate_gradient": 2, "dropout": 0.2}
    Config(tree).to_disk(tmp_path / "killed.cfg")
    kill(place, n, tmp_path / "killed.cfg", tmp_path / "killed")
    left = Checkpoints(tmp_path / "killed", {}).newest
    assert left is not None and 0 < int(left.name) < 13
    resumed = run(tree, tmp_path / "killed", is_resumed=True, save_every=3)
    whole = run(tree, tmp_path / "whole")
    assert resumed.n_steps == whole.n_steps == 13
    assert resumed.best_score == whole.best_score
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_spacys_own_component_resumes_too(tmp_path: Path, corpus: Path, run: Callable[..., Any]) -> None:
    """Stopped by its limit and resumed with a later one; with Adam's moments, averages and growing batches."""
    tree = {
        "paths": {"train": str(corpus / "train.jsonl"), "dev": str(corpus / "dev.jsonl")},
        "nlp": {"lang": "en", "pipeline": ["textcat"]},
        "components": {
            "textcat": {
                "factory": "textcat",
                "model": {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "length": 1000}
                | {"ngram_size": 1, "no_output_layer": False},
            }
        },
        "training": {"max_steps": 9, "eval_frequency": 4, "optimizer": {"use_averages": True}},
    }
    batcher = {"@batchers": "spacy.batch_by_words.v1", "discard_oversize": False, "tolerance": 0.2}
    batcher["size"] = {"@schedules": "compounding.v1", "start": 20, "stop": 60, "compound": 1.1}  # type: ignore
    tree["training"]["batcher"] = batcher  # type: ignore[index]
    run(tree, tmp_path / "parts", save_every=1)
    tree["training"]["max_steps"] = 25  # type: ignore[index]
    run(tree, tmp_path / "parts", is_resumed=True)
    run(tree, tmp_path / "whole")
    stopped = {name: data for name, data in files(tmp_path / "parts").items() if "config.cfg" not in name}
    whole = {name: data for name, data in files(tmp_path / "whole").items() if "config.cfg" not in name}
    assert stopped == whole


def test_other_settings_are_refused_with_the_difference(
    tmp_path: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any]
) -> None:
    tree = config()
    tree["training"]["max_steps"] = 2
    run(tree, tmp_path / "out")
    tree["training"]["dropout"] = 0.3
    with pytest.raises(mmpipe.ConfigError, match=r"training\.dropout was 0\.1, is 0\.3"):
        run(tree, tmp_path / "out", is_resumed=True)
