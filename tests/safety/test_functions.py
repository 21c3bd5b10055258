"""No registered function that reads, runs, imports or sends is reachable from a config."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from spacy.util import registry

from mmpipe.config import read_pipeline
from mmpipe.plugins import get_plugins

READ = {"@readers": "srsly.read_json.v1", "path": "../secret/secret.json"}
CALLS: dict[str, Any] = {
    "read_json": READ,
    "read_jsonl": READ | {"@readers": "srsly.read_jsonl.v1"},
    "read_yaml": READ | {"@readers": "srsly.read_yaml.v1"},
    "read_msgpack": READ | {"@readers": "srsly.read_msgpack.v1"},
    "read_labels": READ | {"@readers": "spacy.read_labels.v1"},
    "corpus": READ | {"@readers": "spacy.Corpus.v1"},
    "plain text": READ | {"@readers": "spacy.PlainTextCorpus.v1"},
    "records": READ | {"@readers": "mmpipe.JsonlCorpus.v1"},
    "knowledge base": {"@misc": "spacy.KBFromFile.v1", "kb_path": "../secret"},
    "lookups": {"@misc": "spacy.LookupsDataLoader.v1", "lang": "en", "tables": ["lexeme_norm"]},
    "other pipeline": {"@callbacks": "spacy.copy_from_base_model.v1", "tokenizer": "canary_package"},
    "logger": {"@loggers": "spacy.WandbLogger.v5", "project_name": "x", "remove_config_values": []},
    "model": {"@models": "canary_package"},
    "command": {"@cli": "canary"},
    "factory": {"@factories": "sentencizer"},
    "language": {"@languages": "en"},
}
PLACES = ["nlp.before_creation", "nlp.after_creation", "nlp.after_pipeline_creation", "nlp.tokenizer", "nlp.vectors"]
PLACES += ["components.s.punct_chars", "components.s.scorer.deep.er"]


def placed(dotted: str, value: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "sentencizer", "scorer": {"@scorers": "spacy.senter_scorer.v1"}}},
    }
    *above, key = dotted.split(".")
    place = tree
    for part in above:
        place = place.setdefault(part, {})
    place[key] = value
    return tree


@pytest.mark.parametrize("call", CALLS)
def test_a_function_that_reads_or_imports_is_refused_wherever_it_stands(
    call: str, tried: Callable, canary: Path
) -> None:
    tree = placed("nlp.batch_size", 8)
    for place in PLACES:
        above = functools.reduce(lambda tree, part: tree.setdefault(part, {}), place.split(".")[:-1], tree)
        above[place.rpartition(".")[2]] = CALLS[call]
    faults = tried(tree).error.faults
    for place in PLACES:
        kind = next(iter(CALLS[call]))
        assert [fault.what for fault in faults if fault.where == f"{place}.{kind}"], place
    assert not canary.exists() and "canary_package" not in sys.modules


def test_those_of_training_are_kept_and_not_called_by_load(tried: Callable, canary: Path) -> None:
    tree = placed("initialize", {"before_init": CALLS["other pipeline"], "lookups": CALLS["lookups"]})
    tree["corpora"] = {"train": CALLS["corpus"]}
    assert tried(tree).error is None
    found = tried(tree, untrusted=True)
    assert "copy from other pipelines" in found.said and "lies outside" in found.said
    assert not canary.exists()


def test_training_refuses_to_import_a_package_by_name(canary: Path) -> None:
    tree = placed("initialize", {"before_init": CALLS["other pipeline"], "vectors": "canary_package"})
    found = read_pipeline(tree, None, get_plugins(), is_training=True)
    wheres = [fault.where for fault in found.faults if "no spaCy pipeline" in fault.what]
    assert wheres == ["initialize.before_init.tokenizer", "initialize.vectors"]
    assert not canary.exists()


@pytest.mark.parametrize("name", ["canary_package", "canary-package", "pip", "../secret", "/etc", "a" * 5000, "a\0b"])
def test_source_imports_no_package(name: str, tried: Callable, canary: Path) -> None:
    found = tried({"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": {"source": name}}})
    assert found.error is not None
    assert not canary.exists() and "canary_package" not in sys.modules


def test_a_pipeline_that_components_are_copied_from_is_held_to_the_same(tried: Callable, home: Path) -> None:
    import mmpipe

    mmpipe.load({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}).to_disk(home / "other")
    tree = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"source": "other", "component": "sentencizer"}},
    }
    assert tried(tree).error is None
    config = (home / "other" / "config.cfg").read_text()
    evil = '[nlp.before_creation]\n@readers = "srsly.read_json.v1"\npath = "../secret/secret.json"\n\n[components]'
    (home / "other" / "config.cfg").write_text(
        config.replace("before_creation = null\n", "").replace("[components]", evil, 1)
    )
    found = tried(tree)
    assert "components.s.source" in found.said and "nlp.before_creation" in found.said
    assert "copy from other pipelines" in tried(tree, untrusted=True).said


@pytest.mark.parametrize(
    "factory", ["os.system", "os:system", "canary_package", "canary_package:make", "builtins.eval"]
)
def test_a_factory_is_a_name_and_no_import_path(factory: str, tried: Callable, canary: Path) -> None:
    found = tried({"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": {"factory": factory}}})
    assert "no plugin and no spaCy component is called" in found.said
    assert not canary.exists()


@pytest.mark.parametrize("lang", ["canary_package", "os", "..os", "en.os", "spacy.cli"])
def test_a_language_is_a_code_and_no_import_path(lang: str, tried: Callable, canary: Path) -> None:
    assert "no such language" in tried({"nlp": {"lang": lang}}).said
    assert not canary.exists()


@pytest.mark.parametrize("section", ["code", "imports", "variables.code"])
def test_there_is_no_section_for_code(section: str, tried: Callable, canary: Path) -> None:
    found = tried(placed(section, {"path": "../site/canary_package.py", "modules": ["canary_package"]}))
    assert (found.error is None) == section.startswith("variables")
    assert not canary.exists()


def test_functions_of_distributions_that_are_no_plugins(
    tried: Callable, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    point = EntryPoint("canary.make.v1", "canary_package:make", "spacy_misc")
    vars(point).update(dist=SimpleNamespace(name="Canary_Package"))
    real = list(registry.misc._get_entry_points())
    monkeypatch.setattr(registry.misc, "_get_entry_points", lambda: [point, *real])
    for place in ("components.s.punct_chars", "nlp.before_creation"):
        tree = placed(place, {"@misc": "canary.make.v1"})
        for untrusted in (False, True):
            assert "MMPIPE_FUNCTIONS" in tried(tree, untrusted=untrusted).said and not canary.exists()
    monkeypatch.setenv("MMPIPE_FUNCTIONS", "canary-package")
    assert not read_pipeline(tree, None, get_plugins()).faults


@pytest.mark.parametrize("key", ["trust_remote_code", "auto_map", "code_revision"])
def test_no_setting_lets_a_checkpoint_run_its_code(key: str, tried: Callable, canary: Path) -> None:
    pytest.importorskip("spacy_transformers")
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": "../secret",
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        "tokenizer_config": {key: True},
    }
    tree = placed("components.t", {"factory": "transformer", "model": model})
    tree["nlp"]["pipeline"] = ["t"]
    assert "code never runs" in tried(tree).said


def test_every_pure_function_that_the_shipped_pipelines_use_is_allowed(tried: Callable, home: Path) -> None:
    """spaCy's own default components, each built from its defaults."""
    names = ["tok2vec", "tagger", "parser", "ner", "textcat", "spancat", "entity_linker", "lemmatizer"]
    tree = {"nlp": {"lang": "en", "pipeline": [*names, "mmpipe_sentiment"]}}
    plugins = get_plugins()
    assert not read_pipeline(tree, None, plugins, is_training=True).faults
    assert not read_pipeline(tree, None, plugins, untrusted=True).faults
    (home / "p.json").write_text(json.dumps(tree))
    assert not read_pipeline(home / "p.json", None, plugins, untrusted=True).faults
