"""A tiny corpus that a tiny model can learn, and configs over it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confection import Config

from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training
from mmpipe.train.session import Trained, train

WORDS = {"good": ["good", "wonderful", "lazy"], "bad": ["bad", "never", "dog"]}
FILLERS = ["the", "film", "is", "cat", "was", "it"]


def rows(count: int, seed: int) -> list[dict[str, str]]:
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        label = draw.choice(list(WORDS))
        words = [draw.choice(WORDS[label]), *draw.choices(FILLERS, k=draw.randint(1, 8))]
        draw.shuffle(words)
        found.append({"text": " ".join(words), "label": label})
    return found


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.jsonl (120 records) and dev.jsonl (30): the label follows from one word."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, count, seed in (("train", 120, 1), ("dev", 30, 2)):
        text = "".join(json.dumps(row) + "\n" for row in rows(count, seed))
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    return folder


@pytest.fixture
def config(corpus: Path, tiny: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """`config(**model)`: the smallest training config of a sentiment component on a bare tiny encoder."""

    def build(**model: Any) -> dict[str, Any]:
        block = {"name": tiny("bert"), "device": "cpu", "training": {"precision": "fp32"}, **model}
        return {
            "paths": {"train": str(corpus / "train.jsonl"), "dev": str(corpus / "dev.jsonl")},
            "nlp": {"lang": "en", "pipeline": ["sentiment"]},
            "components": {"sentiment": {"factory": "mmpipe_sentiment", "model": block}},
            "training": {
                "max_steps": 12,
                "eval_frequency": 4,
                "batcher": {"max_examples": 16},
                "score_weights": {"sentiment_f1_macro": 1.0},
                "optimizer": {"learn_rate": {"initial_rate": 0.003, "warmup_steps": 2}},
            },
        }

    return build


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Trained]:
    """`run(tree, output, overrides, **options)`: what `mmpipe train` does, in this process."""

    def go(tree: dict[str, Any], output: Path | None = None, overrides: Any = None, **options: Any) -> Trained:
        file = tmp_path / "train.cfg"
        Config(tree).to_disk(file)
        pipeline = read_training(file, overrides or {}, get_plugins())
        pipeline.raise_faults()
        return train(pipeline, output, **options)

    return go
