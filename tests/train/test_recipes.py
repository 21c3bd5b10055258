"""The recipes of the shipped models as configs: each is valid, finds its data, and takes real steps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import spacy

import mmpipe
from mmpipe.models.reference import Reference
from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training
from mmpipe.train.session import train

PLUGINS = Path(__file__).parents[2] / "plugins"
RECIPES = sorted(PLUGINS.glob("*/recipes/*.cfg"))
SMALL = {
    "training.max_steps": 2,
    "training.max_epochs": 0,
    "training.eval_frequency": 2,
    "training.batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
    "corpora.train.limit": 6,
    "corpora.dev.limit": 4,
}

# These take files that a script of their own makes; the files' shape is that of others.
OWN = {
    "qa_small": {"paths.train": "${paths.data}/qa/squadshifts_new_wiki.jsonl.gz", "corpora.train.text_key": "context"},
    "news_topics": {f"paths.{name}": str(PLUGINS.parent / "corpora/topics/topics.jsonl") for name in ("train", "dev")},
}


@pytest.mark.skipif(not RECIPES, reason="not in the repository")
def test_there_is_a_recipe_of_each_shipped_model() -> None:
    shipped = {"caption_small", "qa_small", "sentiment_small", "summary_small"}
    assert shipped <= {recipe.stem for recipe in RECIPES} == shipped | {"news_topics"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_takes_steps(recipe: Path, tmp_path: Path) -> None:
    given = {"paths.data": os.environ.get("MMPIPE_DATA", "DATA"), **SMALL, **OWN.get(recipe.stem, {})}
    pipeline = read_training(recipe, given, get_plugins())
    assert pipeline.faults == ()
    if not os.environ.get("MMPIPE_DATA"):
        pytest.skip("MMPIPE_DATA names no folder with data")
    (block,) = (block for block in pipeline.config["components"].values() if "model" in block)
    try:
        Reference(block["model"]["name"]).locate()
    except mmpipe.ModelError as error:
        pytest.skip(str(error))
    done = train(pipeline, tmp_path)
    assert done.n_steps == 3
    assert spacy.load(tmp_path / "model-last").pipe_names == pipeline.config["nlp"]["pipeline"]
    header, *rows = (tmp_path / "training.csv").read_text("utf-8").splitlines()
    assert f"loss_{done.nlp.pipe_names[-1]}" in header and len(rows) == 2
