"""mmpipe.load: sources, overrides, devices, saved folders, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.util import registry

import mmpipe
from mmpipe.loading import spacy_entry_points
from mmpipe.models.transformer import shim_of
from mmpipe.plugins import get_plugins

TEXT = "This film is good. That one is bad! Never again."


@pytest.fixture(scope="module")
def config(tiny: Callable[..., str]) -> dict[str, Any]:
    return {
        "nlp": {"lang": "en", "pipeline": ["sentencizer", "mood", "summary"]},
        "components": {
            "sentencizer": {"factory": "sentencizer"},
            "mood": {
                "factory": "mmpipe_sentiment",
                "model": {"name": tiny("bert", labels=("no", "yes")), "precision": "fp32"},
            },
            "summary": {
                "factory": "mmpipe_summariser",
                "n_sentences": 2,
                "model": {"name": tiny("bert"), "precision": "fp32", "device": "cpu"},
            },
        },
    }


@pytest.fixture(scope="module")
def saved(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    mmpipe.load(config).to_disk(folder)
    return folder


def has_weights(nlp: Language, name: str) -> bool:
    return shim_of(nlp.get_pipe(name).model)._model is not None


def test_every_source_gives_the_same_pipeline(config: dict[str, Any], saved: Path, tmp_path: Path) -> None:
    nlp = mmpipe.load(config)
    nlp.config.to_disk(tmp_path / "pipeline.cfg")
    for source in (tmp_path / "pipeline.cfg", str(tmp_path / "pipeline.cfg"), nlp.config, saved, str(saved)):
        again = mmpipe.load(source)
        assert again.config["nlp"] == nlp.config["nlp"] and again.config["components"] == nlp.config["components"]
        assert again(TEXT).cats == pytest.approx(nlp(TEXT).cats)


def test_a_named_pipeline() -> None:
    nlp = mmpipe.load("sentiment", weights=False)
    assert nlp.pipe_names == ["sentiment"]
    assert nlp.get_pipe_meta("sentiment").factory == "mmpipe_sentiment"


@pytest.mark.parametrize("weights", [True, False])
def test_weights_are_loaded_now_or_at_first_use(config: dict[str, Any], weights: bool) -> None:
    nlp = mmpipe.load(config, weights=weights)
    assert has_weights(nlp, "mood") is has_weights(nlp, "summary") is weights
    nlp(TEXT)
    assert has_weights(nlp, "mood")


def test_a_disabled_component_loads_no_weights(config: dict[str, Any]) -> None:
    nlp = mmpipe.load(config, {"nlp.disabled": ["mood"]})
    assert (has_weights(nlp, "mood"), has_weights(nlp, "summary")) == (False, True)


def test_device_is_for_models_that_name_none(config: dict[str, Any], saved: Path) -> None:
    of_saved = mmpipe.load(saved, device="meta", weights=False)
    assert of_saved.config["components"]["mood"]["model"]["device"] == "meta"
    nlp = mmpipe.load(config, device="meta", weights=False)
    assert nlp.config["components"]["mood"]["model"]["device"] == "meta"
    assert nlp.config["components"]["summary"]["model"]["device"] == "cpu"
    with pytest.raises(mmpipe.ModelError, match="no device 'meta'"):
        mmpipe.load(config, device="meta")


def test_the_config_given_is_left_alone(config: dict[str, Any]) -> None:
    before = repr(config)
    mmpipe.load(config, {"components.mood.field": "feeling"}, device="cpu")
    assert repr(config) == before


def test_overrides_hold_for_a_saved_folder(saved: Path, tiny: Callable[..., str], tmp_path: Path) -> None:
    nlp = mmpipe.load(saved, {"components.summary.n_sentences": 1, "components.mood.field": "feeling"})
    doc = nlp(TEXT)
    assert len(doc.spans["summary"]) == 1
    assert doc._.feeling["label"] in ("no", "yes") and doc._.sentiment is None
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)(TEXT)
    assert again._.feeling["scores"] == pytest.approx(doc._.feeling["scores"])
    assert len(again.spans["summary"]) == 1


def test_a_model_named_in_an_override_takes_the_place_of_the_saved_one(saved: Path, tiny: Callable[..., str]) -> None:
    other = tiny("bert", labels=("cold", "warm"), seed=4)
    nlp = mmpipe.load(saved, {"components.mood.model.name": other})
    assert nlp.get_pipe("mood").provenance["model"] == other
    assert set(nlp(TEXT).cats) == {"cold", "warm"}
    assert len(nlp(TEXT).spans["summary"]) == 2


def test_a_component_can_join_a_saved_pipeline_and_a_disabled_one_be_changed(saved: Path) -> None:
    nlp = mmpipe.load(
        saved,
        {
            "nlp.pipeline": ["sentencizer", "mood", "summary", "rules"],
            "nlp.disabled": ["summary"],
            "components.rules": {"factory": "entity_ruler"},
            "components.summary.n_sentences": 1,
        },
    )
    assert nlp.pipe_names == ["sentencizer", "mood", "rules"]
    nlp.enable_pipe("summary")
    assert len(nlp(TEXT)._.summary["sentences"]) == 1


def test_faults_come_before_weights(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmpipe.component.TransformerPipe.load_weights", lambda self: pytest.fail("loaded"))
    with pytest.raises(mmpipe.ConfigError) as caught:
        mmpipe.load(config, {"components.mood.fild": "x", "components.summary.n_sentences": 0})
    assert [fault.where for fault in caught.value.faults] == [
        "components.mood.fild",
        "components.summary.n_sentences",
    ]


def test_a_sentencizer_after_who_needs_it_is_told(config: dict[str, Any]) -> None:
    with pytest.raises(mmpipe.ConfigError, match="put 'sentencizer' first"):
        mmpipe.load(config, {"nlp.pipeline": ["summary", "sentencizer"]})


def test_what_spacy_refuses_is_a_config_error(config: dict[str, Any]) -> None:
    nlp = {**config["nlp"], "tokenizer": {"@tokenizers": "spacy.Tokenizer.v1", "nonsense": 1}}
    with pytest.raises(mmpipe.ConfigError, match="nonsense"):
        mmpipe.load({**config, "nlp": nlp})


def test_a_model_that_is_not_there(config: dict[str, Any]) -> None:
    with pytest.raises(mmpipe.ModelError, match=r"no model folder '\./nowhere'"):
        mmpipe.load(config, {"components.mood.model.name": "./nowhere"})


def test_a_broken_entry_point_of_spacy_stops_nothing(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    catalogue = registry._entry_point_factories
    real = list(catalogue._get_entry_points())

    def load() -> None:
        raise ImportError("no module named nonsense")

    broken = SimpleNamespace(name="broken_factory", load=load)
    monkeypatch.setattr(catalogue, "_get_entry_points", lambda: [broken, *real])
    assert mmpipe.load(config, weights=False).pipe_names == ["sentencizer", "mood", "summary"]
    assert "spaCy factory 'broken_factory' cannot be imported: no module named nonsense" in caplog.text
    with pytest.raises(ImportError):
        catalogue.get_entry_points()


def test_the_patch_of_spacys_registry_is_taken_back_after_an_error() -> None:
    catalogue = registry._entry_point_factories
    with pytest.raises(RuntimeError), spacy_entry_points(get_plugins()):
        assert "get_entry_points" in vars(catalogue)
        raise RuntimeError
    assert "get_entry_points" not in vars(catalogue)
