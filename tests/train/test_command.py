"""`mmpipe train`, the configs it takes, and `spacy train` on the same ones."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
import torch
import yaml
from confection import Config
from PIL import Image
from spacy.cli.train import train as spacy_train
from typer.testing import CliRunner

import mmpipe
from mmpipe.cli.main import app
from mmpipe.models.transformer import shim_of
from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training


def accuracy(nlp: spacy.language.Language, corpus: Path) -> float:
    rows = list(srsly.read_jsonl(corpus / "dev.jsonl"))
    docs = nlp.pipe([row["text"] for row in rows])
    return sum(doc._.sentiment["label"] == row["label"] for doc, row in zip(docs, rows, strict=True)) / len(rows)


def test_the_command_trains_saves_and_logs(corpus: Path, config: Callable[..., dict], tmp_path: Path) -> None:
    tree = config()
    del tree["training"]["score_weights"], tree["training"]["max_steps"]
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    output = tmp_path / "out"
    arguments = ["train", str(tmp_path / "train.yaml"), "-o", str(output), "--training.max_steps=60"]
    arguments += ["--training.eval_frequency=20"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "step 20/60" in done.stderr and "61 updates" in done.stderr and not done.stdout
    assert " of 0 to 60; saved" in done.stderr
    with (output / "training.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["0", "20", "40", "60"]
    assert {"loss_sentiment", "score", "sentiment_f1_macro", "learn_rate"} <= rows[0].keys()
    assert all(row["score"] == row["sentiment_f1_macro"] for row in rows), "the main figure counts by default"
    assert float(rows[-1]["loss_sentiment"]) < float(rows[0]["loss_sentiment"])
    assert (output / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    best = max(rows, key=lambda row: float(row["score"]))
    assert float(best["score"]) > 0.8
    loaded = mmpipe.load(output / "model-best")
    assert accuracy(loaded, corpus) == pytest.approx(accuracy(spacy.load(output / "model-best"), corpus))
    assert accuracy(loaded, corpus) > 0.8
    again = CliRunner().invoke(app, arguments)
    assert "--resume" in str(again.exception) and "--force" in str(again.exception)


def test_spacys_own_command_trains_our_component(corpus: Path, config: Callable[..., dict], tmp_path: Path) -> None:
    tree = config(training={"precision": "fp32", "average_decay": 0.9})
    tree["training"]["max_steps"] = 60
    tree["training"]["eval_frequency"] = 20
    Config(tree).to_disk(tmp_path / "short.cfg")
    full = read_training(tmp_path / "short.cfg", {}, get_plugins()).config
    Config(full).to_disk(tmp_path / "train.cfg")
    spacy_train(tmp_path / "train.cfg", tmp_path / "out")
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert accuracy(nlp, corpus) > 0.8
    assert nlp.meta["performance"]["sentiment_f1_macro"] > 0.8


def test_spacys_own_command_trains_every_component(
    corpus: Path, tiny: Callable[..., str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    """A process of its own, on the config that mmpipe saved, whose records have gold for all of the four."""
    rows = [
        row
        | {"summary": row["text"], "question": "what is it?", "answers": [{"text": row["text"].split()[0], "start": 0}]}
        | {"image": "one.png", "captions": ["the cat sat"]}
        for row in list(srsly.read_jsonl(corpus / "train.jsonl"))[:12]
    ]
    srsly.write_jsonl(tmp_path / "train.jsonl", rows)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "one.png")
    models = {"sentiment": tiny("bert"), "qa": tiny("bert", has_spans=True), "summary": tiny("bert")}
    models["caption"] = tiny("vit-gpt2")
    factories = {name: f"mmpipe_{name}" for name in models} | {"summary": "mmpipe_summariser"}
    tree: dict[str, Any] = {
        "paths": {"train": str(tmp_path / "train.jsonl"), "dev": str(tmp_path / "train.jsonl")},
        "nlp": {"lang": "en", "pipeline": ["sentencizer", *models]},
        "components": {"sentencizer": {"factory": "sentencizer"}}
        | {
            name: {
                "factory": factories[name],
                "model": {"name": checkpoint, "device": "cpu", "training": {"precision": "fp32"}},
            }
            for name, checkpoint in models.items()
        },
        "training": {"max_steps": 2, "eval_frequency": 2, "batcher": {"max_examples": 4}},
    }
    tree["components"]["caption"]["model"]["max_new_tokens"] = 4
    run(tree, tmp_path / "ours")
    config = tmp_path / "ours" / "model-last" / "config.cfg"
    arguments = [sys.executable, "-m", "spacy", "train", str(config), "--output", str(tmp_path / "theirs")]
    done = subprocess.run(arguments, env={**os.environ}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = (spacy.load(tmp_path / where / "model-last") for where in ("ours", "theirs"))
    assert {f"{name}_loss" for name in models} <= theirs.meta["performance"].keys()
    for name in models:
        left, right = (shim_of(nlp.get_pipe(name).model).module.state_dict() for nlp in (ours, theirs))
        assert all(torch.equal(left[key], right[key]) for key in left), f"{name} learned something else"


def test_the_smallest_config_is_completed(tmp_path: Path) -> None:
    tree = {
        "paths": {"train": "a.jsonl.gz", "dev": "b.spacy"},
        "nlp": {"lang": "en", "pipeline": ["sentencizer", "mmpipe_summariser"]},
    }
    for name, text in {
        "a.json": json.dumps(tree),
        "a.yaml": yaml.safe_dump(tree),
        "a.cfg": Config(tree).to_str(),
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
        pipeline = read_training(tmp_path / name, {"training.dropout": 0.2}, get_plugins())
        assert pipeline.faults == ()
        assert pipeline.config["corpora"]["train"] == {"@readers": "mmpipe.JsonlCorpus.v1", "path": "a.jsonl.gz"}
        assert pipeline.config["corpora"]["dev"]["@readers"] == "spacy.Corpus.v1"
        training = pipeline.config["training"]
        assert training["optimizer"]["learn_rate"]["total_steps"] == training["max_steps"] == 2000
        assert training["annotating_components"] == ["sentencizer"] and training["dropout"] == 0.2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": {"max_stepps": 3}}, "(?s)training.max_stepps: unknown setting.*max_steps"),
        ({"training": {"max_steps": "many"}}, "(?s)training.max_steps: 'many'.*whole number"),
        ({"training": {"optimizer": {"@optimizers": "Adma.v1"}}}, "(?s)training.optimizer.@optimizers.*Adam.v1"),
        ({"training": {"optimizer": {"lern_rate": 1.0}}}, "(?s)training.optimizer.lern_rate.*learn_rate"),
        ({"training": {"train_corpus": "corpora.trian"}}, "(?s)training.train_corpus: .*corpora.train"),
        ({"training": {"frozen_components": ["sentimnet"]}}, "(?s)'sentimnet' is not in the pipeline.*sentiment"),
        ({"corpora": {"train": {"path": "a.jsonl", "txt_key": "x"}}}, "(?s)corpora.train.txt_key.*text_key"),
        ({"corpora": {"train": {"sources": {"a": {"pth": "x"}}}}}, "corpora.train.sources.a.pth: unknown setting"),
        ({"paths": {"train": None}}, "(?s)corpora.train.path: missing.*paths"),
        ({"training": {"max_steps": 0, "max_epochs": 3}}, r"(?s)learn_rate\.total_steps: is 0.*max_epochs"),
        (
            {"components": {"sentiment": {"factory": "mmpipe_sentiment", "model": {"training": {"frosen": []}}}}},
            "components.sentiment.model.training.frosen: unknown setting",
        ),
        (
            {"components": {"sentiment": {"factory": "mmpipe_sentiment", "model": {"training": {"average_decay": 2}}}}},
            "components.sentiment.model.training.average_decay: 2",
        ),
    ],
)
def test_faults_name_section_and_key(
    config: Callable[..., dict], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    tree = Config(config()).merge(Config(change)) if "components" not in change else {**config(), **change}
    if change.get("paths") == {"train": None}:
        tree["paths"]["train"] = None
    (tmp_path / "train.json").write_text(json.dumps(tree), "utf-8")
    with pytest.raises(mmpipe.ConfigError, match=said):
        read_training(tmp_path / "train.json", {}, get_plugins()).raise_faults()


def test_gold_that_is_not_there_is_said(
    corpus: Path, config: Callable[..., dict], run: Callable[..., Any], tmp_path: Path
) -> None:
    tree = config()
    rows = [{"text": row["text"], "stars": 1} for row in srsly.read_jsonl(corpus / "train.jsonl")]
    srsly.write_jsonl(tmp_path / "train.jsonl", rows)
    tree["paths"]["train"] = str(tmp_path / "train.jsonl")
    with pytest.raises(mmpipe.ConfigError, match=r"(?s)components\.sentiment.*stars"):
        run(tree)


def test_scores_that_nothing_measures_are_said(config: Callable[..., dict], run: Callable[..., Any]) -> None:
    tree = config()
    tree["training"]["score_weights"] = {"ents_f": 1.0}
    with pytest.raises(mmpipe.ConfigError, match=r"(?s)training\.score_weights.*ents_f.*sentiment_f1_macro"):
        run(tree)


def test_tensorboard_is_optional(config: Callable[..., dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    Config(config()).to_disk(tmp_path / "train.cfg")
    done = CliRunner().invoke(app, ["train", str(tmp_path / "train.cfg"), "-o", str(tmp_path / "o"), "--tensorboard"])
    assert isinstance(done.exception, mmpipe.MmpipeError) and "mmpipe[tensorboard]" in str(done.exception)


def test_a_terminal_sees_a_bar_and_others_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from rich.console import Console

    from mmpipe.train.journal import Journal
    from mmpipe.train.loop import Progress, Step

    step = Step(0, 0, 4, {"a": 0.75}, 0.1, 0.5, {"a_f1": 0.5}, True)
    progress = Progress(n_steps=1, results=[(0.5, 0)])
    Journal(None, max_steps=3).add(step, progress)
    assert capsys.readouterr().err.startswith("step 0/3  epoch 0  loss_a 0.7500  score 0.5000  best")
    monkeypatch.setattr(Console, "is_terminal", True)
    journal = Journal(None, max_steps=3)
    journal.add(step, progress)
    journal.close()
    seen = capsys.readouterr()
    assert "loss 0.7500" in seen.err and "score 0.5000" in seen.err and "1/4" in seen.err and "step 0/3" not in seen.err
    assert not seen.out


def test_a_bar_begins_with_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is refused before would leave the terminal without its cursor."""
    from rich.console import Console

    from mmpipe.train.journal import Journal

    monkeypatch.setattr(Console, "is_terminal", True)
    assert not Journal(None, max_steps=3)._bar.live.is_started


def test_tensorboard_shows_one_training(config: Callable[..., dict], run: Callable[..., Any], tmp_path: Path) -> None:
    """Not what was replaced, nor what was made again after a resumption."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tree = config()
    tree["training"]["optimizer"]["learn_rate"]["total_steps"] = 12
    for is_resumed, max_steps in ((False, 8), (False, 4), (True, 6)):
        tree["training"]["max_steps"] = max_steps
        run(tree, tmp_path / "out", is_resumed=is_resumed, has_tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("learn_rate")] == list(range(7))
    assert [event.step for event in events.Scalars("score")] == [0, 4]


def test_dropout_may_be_a_whole_number(config: Callable[..., dict], run: Callable[..., Any]) -> None:
    tree = config()
    tree["training"] |= {"dropout": 0, "max_steps": 1}
    assert run(tree).n_steps == 2


def test_a_component_of_a_saved_pipeline_learns_on_at_rates_for_transformers(
    config: Callable[..., dict], run: Callable[..., Any], tmp_path: Path
) -> None:
    tree = config()
    tree["training"]["max_steps"] = 1
    run(tree, tmp_path / "first")
    tree["components"]["sentiment"] = {"source": str(tmp_path / "first" / "model-last")}
    del tree["training"]["optimizer"]
    Config(tree).to_disk(tmp_path / "second.cfg")
    training = read_training(tmp_path / "second.cfg", {}, get_plugins()).config["training"]
    assert training["optimizer"]["learn_rate"]["initial_rate"] == 5e-5
    assert run(tree, tmp_path / "second").n_steps == 2
