"""A training that is killed and resumed gives the bytes of one that was not."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confection import Config
from typer.testing import CliRunner

import mmpipe
from mmpipe.cli.main import app
from mmpipe.train import checkpoint, session
from mmpipe.train.checkpoint import Checkpoints, replace_folder
from mmpipe.train.loop import Loop

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


def stop_at(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    """Let the update of that number end in Ctrl-C, its gradients there and its weights not yet."""
    update = Loop._update

    def stopped(self: Loop, at: int, epoch: int, batch: list) -> None:
        if at == index:
            self.nlp.update(batch, sgd=False, losses={})  # type: ignore[arg-type]
            raise KeyboardInterrupt
        update(self, at, epoch, batch)

    monkeypatch.setattr(Loop, "_update", stopped)


RADAM = {"@optimizers": "RAdam.v1", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "grad_clip": 1.0, "L2": 0.01}
RADAM |= {"L2_is_weight_decay": True, "use_averages": True, "learn_rate": 0.003}


@pytest.mark.parametrize("how", ["adapter", "radam", "stream"])
def test_interrupted_and_resumed_is_as_never_interrupted(
    how: str,
    tmp_path: Path,
    corpus: Path,
    config: Callable[..., dict[str, Any]],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree, last = config(), 6
    if how == "adapter":
        pytest.importorskip("peft")
        adapter = {"rank": 2, "dropout": 0.1}
        tree = config(training={"precision": "fp32", "average_decay": 0.9, "adapter": adapter})
        tree["training"]["accumulate_gradient"] = 3
    elif how == "radam":
        tree["training"]["optimizer"] = RADAM
    else:
        sources = {"half": {"path": str(corpus / "train.jsonl"), "weight": 0.5}}
        tree["corpora"] = {"train": {"@readers": "mmpipe.JsonlCorpus.v1", "sources": sources, "shuffle_seed": 3}}
        tree["training"] |= {"max_epochs": -1, "dropout": 0.2}
        last = 7  # In the second epoch.
    with monkeypatch.context() as patch:
        stop_at(patch, last)
        with pytest.raises(KeyboardInterrupt):
            run(tree, tmp_path / "parts", save_every=1)
    run(tree, tmp_path / "parts", is_resumed=True)
    run(tree, tmp_path / "whole")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_ctrl_c_ends_with_a_hint_and_nothing_is_lost_after_the_last_evaluation(
    tmp_path: Path, corpus: Path, config: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures and strings of evaluations that are not made again stay in the pipeline that is saved last."""
    tree = config()
    lines = (corpus / "dev.jsonl").read_text("utf-8") + json.dumps({"text": "an unheard film", "label": "bad"}) + "\n"
    (tmp_path / "dev.jsonl").write_text(lines, "utf-8")
    tree["paths"]["dev"] = str(tmp_path / "dev.jsonl")
    tree["training"]["max_steps"] = 6
    tree["training"]["optimizer"]["learn_rate"]["total_steps"] = 6
    Config(tree).to_disk(tmp_path / "train.cfg")
    save = session._Saver.save

    def stopped(self: Any, step: Any, optimizer: Any) -> None:
        if step is None:
            raise KeyboardInterrupt
        save(self, step, optimizer)

    def command(folder: str, *options: str) -> Any:
        arguments = ["train", str(tmp_path / "train.cfg"), "-o", str(tmp_path / folder), "--save-every=1"]
        return CliRunner().invoke(app, [*arguments, *options])

    with monkeypatch.context() as patch:
        patch.setattr(session._Saver, "save", stopped)
        done = command("parts")
    assert done.exit_code == 130 and "interrupted; --resume" in done.stderr
    assert command("parts", "--resume").exit_code == command("whole").exit_code == 0
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_full_disk_is_said_and_survived(
    tmp_path: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, n_stored = checkpoint.store_weights, 0

    def full(nlp: Any, optimizer: Any, folder: Path) -> None:
        nonlocal n_stored
        n_stored += 1
        if n_stored == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        store(nlp, optimizer, folder)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "store_weights", full)
        with pytest.raises(mmpipe.MmpipeError, match=r"(?s)cannot be written: .*No space left.*--resume"):
            run(config(), tmp_path / "parts")
    assert [folder.name for folder in (tmp_path / "parts" / "checkpoints").iterdir()] == ["000000005"]
    run(config(), tmp_path / "parts", is_resumed=True)
    run(config(), tmp_path / "whole")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_folder_between_its_two_moves_is_put_back(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "model-best.old").mkdir()
    with pytest.raises(mmpipe.MmpipeError, match="No space left"):
        replace_folder(tmp_path / "model-best", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["model-best"]


def test_pipelines_without_a_checkpoint_are_not_replaced(
    tmp_path: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any]
) -> None:
    tree = config()
    tree["training"]["max_steps"] = 1
    run(tree, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "checkpoints")
    with pytest.raises(mmpipe.ConfigError, match=r"(?s)no checkpoint.*--force"):
        run(tree, tmp_path / "out", is_resumed=True)
    assert (tmp_path / "out" / "model-best").is_dir()
    run(tree, tmp_path / "new", is_resumed=True)


def test_fewer_epochs_than_were_made_end_at_once(
    tmp_path: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any]
) -> None:
    tree = config()
    tree["training"] |= {"max_steps": 40, "max_epochs": 4}
    n_steps = run(tree, tmp_path / "out").n_steps
    tree["training"]["max_epochs"] = 2
    assert run(tree, tmp_path / "out", is_resumed=True).n_steps <= n_steps < 40


def test_a_stream_that_has_become_shorter_is_said(
    tmp_path: Path, corpus: Path, config: Callable[..., dict[str, Any]], run: Callable[..., Any]
) -> None:
    shutil.copyfile(corpus / "train.jsonl", tmp_path / "train.jsonl")
    tree = config()
    tree["paths"]["train"] = str(tmp_path / "train.jsonl")
    tree["training"] |= {"max_epochs": -1, "max_steps": 4}
    run(tree, tmp_path / "out")
    lines = (tmp_path / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "train.jsonl").write_text("".join(lines[:20]), "utf-8")
    tree["training"]["patience"] = 100
    tree["training"]["max_steps"] = 8
    tree["training"]["optimizer"]["learn_rate"]["total_steps"] = 4
    with pytest.raises(mmpipe.ConfigError, match="ends before batch 5"):
        run(tree, tmp_path / "out", is_resumed=True)
