"""The loop against spaCy's own: the same config, corpus and seed give the same weights and scores."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import DEFAULT_CONFIG
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config, fix_random_seed

from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training
from mmpipe.train.session import train

TEXTCAT = {
    "factory": "textcat",
    "model": {
        "@architectures": "spacy.TextCatEnsemble.v2",
        "linear_model": {
            "@architectures": "spacy.TextCatBOW.v3",
            "exclusive_classes": True,
            "length": 1000,
            "ngram_size": 1,
            "no_output_layer": False,
        },
        "tok2vec": {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 16, "depth": 1}
        | {"embed_size": 100, "window_size": 1, "maxout_pieces": 2, "subword_features": True},
    },
}


def spacy_config(corpus: Path, **training: object) -> dict:
    tree = {
        "paths": {"train": str(corpus / "train.jsonl"), "dev": str(corpus / "dev.jsonl")},
        "nlp": {"lang": "en", "pipeline": ["textcat"]},
        "components": {"textcat": TEXTCAT},
        "corpora": {
            name: {"@readers": "mmpipe.JsonlCorpus.v1", "path": f"${{paths.{name}}}"} for name in ("train", "dev")
        },
        "training": {"max_steps": 30, "eval_frequency": 7, "patience": 100, **training},
    }
    return Config(tree)


@pytest.mark.parametrize(
    "training", [{"accumulate_gradient": 2}, {"max_epochs": -1, "optimizer": {"use_averages": True}}]
)
def test_a_pipeline_of_spacys_own_is_trained_as_by_spacy(corpus: Path, tmp_path: Path, training: dict) -> None:
    tree = spacy_config(corpus, **training)
    reference = init_nlp(Config(DEFAULT_CONFIG).merge(tree))
    told = io.StringIO()
    (tmp_path / "spacy").mkdir()
    spacy_train(reference, tmp_path / "spacy", stdout=told, stderr=told)
    tree.to_disk(tmp_path / "train.cfg")
    pipeline = read_training(tmp_path / "train.cfg", {}, get_plugins())
    pipeline.raise_faults()
    ours = train(pipeline, tmp_path / "ours")
    wanted = [line.split() for line in told.getvalue().splitlines() if line.strip()[:1].isdigit()]
    rows = (tmp_path / "ours" / "training.csv").read_text("utf-8").splitlines()
    names = rows[0].split(",")
    found = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:]]
    assert len(wanted) == len(found) == 5
    for row, (epoch, step, *_, score) in zip(found, wanted, strict=True):
        assert (row["epoch"], row["step"]) == (epoch, step)
        assert float(row["score"]) == pytest.approx(float(score), abs=0.005)
    for name in ("model-best", "model-last"):
        theirs, mine = (spacy.load(tmp_path / where / name).get_pipe("textcat") for where in ("spacy", "ours"))
        for left, right in zip(theirs.model.walk(), mine.model.walk(), strict=True):
            for parameter in left.param_names:
                if left.has_param(parameter):
                    np.testing.assert_array_equal(left.get_param(parameter), right.get_param(parameter))
    assert ours.n_steps == 31, "as spaCy, which counts from 0 and makes the step max_steps"
    fix_random_seed(0)


def test_an_epoch_without_batches_is_no_endless_one(corpus: Path, tmp_path: Path) -> None:
    import mmpipe

    batcher = {"@batchers": "spacy.batch_by_words.v1", "size": 1, "tolerance": 0.0, "discard_oversize": True}
    spacy_config(corpus, batcher=batcher).to_disk(tmp_path / "train.cfg")
    with pytest.raises(mmpipe.MmpipeError, match=r"(?s)no batches.*discards"):
        train(read_training(tmp_path / "train.cfg", {}, get_plugins()))


def test_an_empty_corpus_is_named(corpus: Path, tmp_path: Path) -> None:
    import mmpipe

    (tmp_path / "empty.jsonl").write_text("", "utf-8")
    tree = spacy_config(corpus)
    tree["paths"]["train"] = str(tmp_path / "empty.jsonl")
    tree["components"]["textcat"]["model"] = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True} | {
        "length": 1000,
        "ngram_size": 1,
        "no_output_layer": False,
    }
    tree.to_disk(tmp_path / "train.cfg")
    with pytest.raises(mmpipe.MmpipeError, match=r"train\.cfg"):
        train(read_training(tmp_path / "train.cfg", {}, get_plugins()))
