"""`mmpipe validate`, `config`, `plugins` and `info`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from confection import Config
from spacy.util import load_model_from_config

TREE = {
    "nlp": {"lang": "en", "pipeline": ["sentencizer", "tone"]},
    "components": {"tone": {"factory": "mmpipe_sentiment"}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(TREE))
    return path


def test_validate(mmpipe: Callable, file: Path) -> None:
    assert mmpipe("validate", file).out == "valid\n"
    found = mmpipe("validate", file, "--nlp.batchsize", "3", "--components.tone.feild=x")
    assert found.code == 3
    assert "nlp.batchsize: unknown setting\n  next: did you mean 'batch_size'?" in found.out
    assert "components.tone.feild: unknown setting (value 'x')\n  next: did you mean 'field'?" in found.out


def test_an_override_of_a_component_that_is_not_there(mmpipe: Callable, file: Path) -> None:
    found = mmpipe("validate", file, "--components.toen.field=x", "--components.toen.per_sentence=true")
    assert found.code == 3
    assert found.out == "components.toen: no component 'toen'\n  next: did you mean 'tone'?\n"
    assert "components: sentencizer, tone" in mmpipe("validate", file, "--components.zzz.field=x").out
    assert mmpipe("validate", file, "--components.new.factory=sentencizer", "--components.new.overwrite=true").code == 0


def test_what_is_listed_where_there_is_no_such_config(
    mmpipe: Callable, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    Path("ev.json").write_text('{"metrics": {}}')
    Path("broken.yaml").write_text("{")
    Path("other.cfg").touch()
    said = mmpipe("validate", "nofile.cfg").err
    assert "config files here and named pipelines: " in said and "did you mean" not in said
    listed = said.partition("pipelines: ")[2].partition(";")[0].strip().split(", ")
    assert {"other.cfg", "p.json", "sentiment"} <= set(listed) and not {"ev.json", "broken.yaml"} & set(listed)


NO_MODEL = {
    "./nofolder": "components.tone.model.name: no model folder './nofolder'\n  next: name a folder",
    "./empty": "components.tone.model.name: empty: model './empty' has no safetensors weights\n  next: save it",
    "mmpipe/sentiment-smal": "components.tone.model.name: no plugin provides the model 'mmpipe/sentiment-smal'\n"
    "  next: did you mean 'mmpipe/sentiment-small'?",
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_a_model_that_is_not_there(
    name: str, mmpipe: Callable, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("in.jsonl").write_text('{"text": "x"}\n')
    for out, found in (
        ("out", mmpipe("validate", file, f"--components.tone.model.name={name}")),
        ("err", mmpipe("run", file, "in.jsonl", "-o", "out.jsonl", f"--components.tone.model.name={name}")),
    ):
        assert found.code == 3 and NO_MODEL[name] in getattr(found, out), found


def test_a_model_that_can_be_fetched_is_valid(mmpipe: Callable, file: Path) -> None:
    assert mmpipe("validate", file, "--components.tone.model.name=someone/some-model").out == "valid\n"


def test_config_prints_what_spacy_loads(mmpipe: Callable, file: Path, tmp_path: Path) -> None:
    printed = mmpipe("config", file, "--components.tone.field=mood").out
    config = Config().from_str(printed)
    assert config["components"]["tone"]["field"] == "mood"
    assert load_model_from_config(config, auto_fill=False).pipe_names == ["sentencizer", "tone"]
    (tmp_path / "again.cfg").write_text(printed, "utf-8")
    assert mmpipe("config", tmp_path / "again.cfg").out == printed
    assert mmpipe("validate", tmp_path / "again.cfg").out == "valid\n"


def test_plugins_list(mmpipe: Callable) -> None:
    listed = {entry["distribution"]: entry for entry in json.loads(mmpipe("plugins", "list", "--json").out)}
    assert listed["mmpipe-sentiment"]["provides"]["components"] == ["mmpipe_sentiment"]
    assert "mmpipe-sentiment" in mmpipe("plugins", "list").out


def test_info(mmpipe: Callable) -> None:
    found = json.loads(mmpipe("info", "--json").out)
    assert found["versions"]["mmpipe"] and found["devices"][-1]["device"] == "cpu"
    assert all(device["precision"] in ("fp32", "bf16") and device["reason"] for device in found["devices"])
    assert "cpu" in mmpipe("info").out
