"""One tree in every spelling; faults all listed, before any weights are loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from confection import Config
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_model_from_config

import mmpipe
from mmpipe.config import parse_overrides, read_pipeline
from mmpipe.config.dataflow import Stage, flow_faults
from mmpipe.loading import spacy_entry_points
from mmpipe.plugins import get_plugins

TREE: dict[str, Any] = {
    "nlp": {"lang": "en", "pipeline": ["sents", "tone"], "batch_size": 8},
    "components": {
        "sents": {"factory": "sentencizer", "punct_chars": [".", "$", "100%", "é\u2028 # x"]},
        "tone": {
            "factory": "mmpipe_sentiment",
            "field": "tone",
            "per_sentence": True,
            "model": {"name": "some/where", "revision": "1234567", "max_tokens": 32, "precision": "fp32"},
        },
    },
}
TOML = """
[nlp]
lang = "en"
pipeline = ["sents", "tone"]
batch_size = 8
[components.sents]
factory = "sentencizer"
punct_chars = [".", "$", "100%", "é\\u2028 # x"]
[components.tone]
factory = "mmpipe_sentiment"
field = "tone"
per_sentence = true
model = {name = "some/where", revision = "1234567", max_tokens = 32, precision = "fp32"}
"""


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise AssertionError("weights were looked for")

    monkeypatch.setattr("mmpipe.models.reference.Reference.locate", fail)


def resolved(source: Any, overrides: Any = None) -> Config:
    return mmpipe.load(source, overrides, weights=False).config


def faults(source: Any, overrides: Any = None) -> list[Any]:
    plugins = get_plugins()
    with spacy_entry_points(plugins):
        return list(read_pipeline(source, overrides, plugins).faults)


def wheres(source: Any) -> list[str]:
    return [fault.where for fault in faults(source)]


@pytest.mark.parametrize("suffix", [".cfg", ".toml", ".yaml", ".yml", ".json", ".JSON"])
def test_every_spelling_means_the_same(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"p{suffix}"
    texts = {".cfg": Config(TREE).to_str(), ".toml": TOML, ".json": json.dumps(TREE)}
    file.write_text(texts.get(suffix.lower(), yaml.safe_dump(TREE)), "utf-8")
    assert resolved(file) == resolved(TREE) == resolved(str(file))
    file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    assert resolved(file) == resolved(TREE)


def test_cfg_without_parents_with_comments_and_interpolation(tmp_path: Path) -> None:
    file = tmp_path / "p.cfg"
    file.write_text(
        '[variables]\nfield = "tone"\nmost = 32\n[nlp]  \nlang = "en" # English\npipeline = ["tone"]\n'
        '[components.tone.model]\nname = "a/b" # not "c"\nmax_tokens = ${variables.most}\n'
        '[components.tone]\nfactory = "mmpipe_sentiment"\nfield = ${variables.field}\n'
        'cats_prefix = "${variables.field}_"\n'
    )
    with pytest.raises(mmpipe.ConfigError, match=r"stands before its parent"):
        resolved(file)
    lines = file.read_text().split("[components.tone]")
    file.write_text(lines[0].split("[components.tone.model]")[0] + "[components.tone]" + lines[1])
    file.write_text(file.read_text() + '[components.tone.model]\nname = "a/b" # c\nmax_tokens = ${variables.most}\n')
    block = resolved(file)["components"]["tone"]
    assert (block["field"], block["cats_prefix"]) == ("tone", "tone_")
    assert (block["model"]["name"], block["model"]["max_tokens"]) == ("a/b", 32)


@pytest.mark.parametrize("suffix", [".toml", ".yaml", ".json", "dict"])
def test_interpolation_in_the_other_spellings(suffix: str, tmp_path: Path) -> None:
    tree = TREE | {"variables": {"language": "de", "size": 5}}
    tree["nlp"] = TREE["nlp"] | {"lang": "${variables.language}", "batch_size": "${variables.size}"}
    file = tmp_path / f"p{suffix}"
    toml = TOML.replace('"en"', '"${variables.language}"').replace("= 8", '= "${variables.size}"')
    texts = {".toml": toml + "[variables]\nlanguage = 'de'\nsize = 5\n", ".json": json.dumps(tree)}
    file.write_text(texts.get(suffix, yaml.safe_dump(tree)), "utf-8")
    nlp = resolved(tree if suffix == "dict" else file)["nlp"]
    assert (nlp["lang"], nlp["batch_size"]) == ("de", 5)


@pytest.mark.parametrize("name", ["components.", "components.other", "."])
def test_interpolation_leaves_no_section_where_its_name_is_a_path(name: str) -> None:
    tree = {"nlp": {"lang": "${a.b}", "pipeline": []}, "a": {"b": "en"}, name: {"s": {"factory": "sentencizer"}}}
    with pytest.raises(mmpipe.ConfigError, match=re.escape(f"no section may be called {name!r}")):
        resolved(tree)


def test_overrides_from_dict_and_command_line_agree() -> None:
    arguments = ["--components.tone.field=mood", "--nlp.batch_size", "3", "--components.tone.model.device=cuda:1"]
    arguments += ["--components.tone.per_sentence=false", '--components.sents.punct_chars=["!"]']
    overrides = parse_overrides(arguments)
    assert overrides == {
        "components.tone.field": "mood",
        "nlp.batch_size": 3,
        "components.tone.model.device": "cuda:1",
        "components.tone.per_sentence": False,
        "components.sents.punct_chars": ["!"],
    }
    before = json.dumps(TREE)
    config = resolved(TREE, overrides)
    assert config["components"]["tone"]["field"] == "mood" and config["nlp"]["batch_size"] == 3
    assert config["components"]["tone"]["model"]["device"] == "cuda:1"
    assert json.dumps(TREE) == before


def test_overriding_a_component_that_has_no_section() -> None:
    config = resolved({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}, {"components.sentencizer.overwrite": True})
    assert config["components"]["sentencizer"]["overwrite"] is True


def test_saved_folder_and_named_pipeline(tmp_path: Path) -> None:
    nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}, {"components.sentencizer.overwrite": True})
    nlp.to_disk(tmp_path / "saved")
    assert resolved(tmp_path / "saved") == resolved(str(tmp_path / "saved")) == nlp.config
    named = resolved("sentiment")
    assert named["nlp"]["pipeline"] == ["sentiment"]
    assert named["components"]["sentiment"]["factory"] == "mmpipe_sentiment"


def test_architecture_left_out_is_the_default() -> None:
    model = resolved(TREE)["components"]["tone"]["model"]
    assert model["@architectures"] == "mmpipe.SequenceClassifier.v1"
    other = {"@architectures": "mmpipe.Seq2Seq.v1"}
    (fault,) = faults(TREE, {"components.tone.model": other})
    assert fault.where == "components.tone.model.name" and fault.what == "missing"


def test_device_does_not_stay_in_the_defaults() -> None:
    source = {"nlp": {"lang": "en", "pipeline": ["mmpipe_sentiment"]}}
    first = mmpipe.load(source, device="cuda:7", weights=False).config["components"]["mmpipe_sentiment"]["model"]
    then = resolved(source)["components"]["mmpipe_sentiment"]["model"]
    assert first["device"] == "cuda:7" and then.get("device") != "cuda:7"


def test_every_fault_is_listed() -> None:
    tree = {
        "nlp": {"lang": "qq", "pipeline": ["a", "a", "lost"], "btch_size": 3, "batch_size": 0},
        "components": {
            "a": {
                "factory": "mmpipe_sentiment",
                "feild": "x",
                "per_sentence": "yes",
                "model": {"naem": 1, "device": 2},
            },
            "b": {"factory": "mmpipe_sentimnt"},
            "c": {},
            "d": {"factory": "mmpipe_sentiment", "model": {"@architectures": "mmpipe.SequenceClasifier.v1"}},
            "e": 5,
        },
        "trainin": {},
    }
    found = faults(tree)
    expected = {
        "nlp.lang",
        "nlp.pipeline",
        "nlp.btch_size",
        "nlp.batch_size",
        "trainin",
        "components.a.feild",
        "components.a.per_sentence",
        "components.a.model.naem",
        "components.a.model.device",
        "components.b.factory",
        "components.c.factory",
        "components.d.model.@architectures",
        "components.e",
    }
    assert {fault.where for fault in found} == expected
    assert sum(fault.where == "nlp.pipeline" for fault in found) == 2
    hints = {fault.where: fault.next_step for fault in found}
    for where, nearest in {
        "nlp.btch_size": "batch_size",
        "trainin": "training",
        "components.a.feild": "field",
        "components.a.model.naem": "name",
        "components.b.factory": "mmpipe_sentiment",
        "components.d.model.@architectures": "mmpipe.SequenceClassifier.v1",
    }.items():
        assert hints[where] == f"did you mean {nearest!r}?"
    assert wheres(tree) == [fault.where for fault in found], "the order is not stable"
    with pytest.raises(mmpipe.ConfigError) as caught:
        mmpipe.load(tree)
    assert len(caught.value.faults) == len(found) and all(str(fault) in str(caught.value) for fault in found)


def test_a_misspelt_factory_hides_no_other_fault() -> None:
    block = {"factory": "mmpipe_sentimnt", "feild": "x", "model": {"naem": 1}}
    tree = {"nlp": {"lang": "en", "pipeline": ["a", "b"]}, "components": {"a": block, "b": {**block, "field": "b"}}}
    tree["components"]["b"]["factory"] = "something_else"
    tree["components"]["b"]["model"] = {"@architectures": "mmpipe.SequenceClasifier.v1"}
    assert wheres(tree) == [
        "components.a.factory",
        "components.a.feild",
        "components.a.model.naem",
        "components.b.factory",
        "components.b.model.@architectures",
    ]


def test_every_factory_of_spacy_is_valid_with_its_defaults() -> None:
    # The default of nn_labeller names an architecture that spaCy no longer has; "en.x" is how spaCy keys an English x.
    known = [name for name in Language().factory_names if "." not in name and not name.startswith("test_")]
    names = [name for name in known if name != "nn_labeller"]
    for name in names:
        found = faults({"nlp": {"lang": "en", "pipeline": [name]}})
        assert not [fault for fault in found if "requires" not in fault.what], name


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([Stage("a", ["doc._.x"]), Stage("b", [], ["doc._.x"])], None),
        ([Stage("b", [], ["doc._.x"]), Stage("a", ["doc._.x"])], "move 'a' before it"),
        ([Stage("a", ["doc._.x"]), Stage("b", [], ["doc._.xx"])], "did you mean 'doc._.x'?"),
        ([Stage("u", is_known=False), Stage("b", [], ["doc._.x"])], None),
        ([Stage("a", ["doc._.x"]), Stage("b", ["doc._.x"])], "give one of them another field"),
        ([Stage("a", ["token.pos"]), Stage("b", ["token.pos"])], None),
    ],
)
def test_data_flow(stages: list[Stage], expected: str | None) -> None:
    assert [fault.next_step for fault in flow_faults(stages)] == ([] if expected is None else [expected])


def _taking_any_field() -> None:
    """A factory as spaCy's tutorials have it: nothing of it looks at the name of the field."""

    class Anywhere:
        def __init__(self, field: str, second: str) -> None:
            self.field, self.second = field, second
            for one in (field, second):
                if not Doc.has_extension(one):
                    Doc.set_extension(one, default=None)

        def __call__(self, doc: Doc) -> Doc:
            doc._.set(self.field, {"n": len(doc)})
            return doc

    @Language.factory(
        "config_anywhere",
        assigns=["doc._.config_first", "doc._.config_second"],
        default_config={"field": "config_first", "second_field": "config_second", "text_field": "text"},
    )
    def make(nlp: Language, name: str, field: str, second_field: str, text_field: str) -> Anywhere:
        return Anywhere(field, second_field)


@pytest.mark.parametrize("setting", ["field", "second_field"])
@pytest.mark.parametrize("name", ["record", "media", "id", "text", "has space", "get", "_more", "mutable_types", ""])
def test_a_field_that_would_destroy_records_is_refused_for_any_component(setting: str, name: str) -> None:
    _taking_any_field()
    tree = {"nlp": {"lang": "en", "pipeline": ["x"]}, "components": {"x": {"factory": "config_anywhere"}}}
    assert not faults(tree)
    found = faults(tree, {f"components.x.{setting}": name})
    assert [(fault.where, fault.what) for fault in found] == [
        (f"components.x.{setting}", f"the field {name!r} cannot stand in doc._")
    ]
    assert "none of get, has, id, media, record, set, text" in found[0].next_step
    with pytest.raises(mmpipe.ConfigError, match=f"components.x.{setting}"):
        mmpipe.load(tree, {f"components.x.{setting}": name})


def test_a_field_that_only_the_factory_knows_is_refused_too() -> None:
    [fault] = flow_faults([Stage("x", ["doc._.record"])])
    assert fault.where == "components.x" and "'record'" in fault.what

    @Language.factory("config_hidden")
    class Hidden:
        field = "media"

        def __init__(self, nlp: Language, name: str) -> None:
            """Nothing but its attribute says where its results go."""

        def __call__(self, doc: Doc) -> Doc:
            return doc

    tree = {"nlp": {"lang": "en", "pipeline": ["x"]}, "components": {"x": {"factory": "config_hidden"}}}
    with pytest.raises(mmpipe.ConfigError, match=r"components\.x\.field: the field 'media'"):
        mmpipe.load(tree)


def test_two_components_with_one_field_cats_or_spans() -> None:
    two = {"nlp": {"lang": "en", "pipeline": ["a", "b"]}, "components": {}}
    for name in "ab":
        two["components"][name] = {"factory": "mmpipe_sentiment", "per_sentence": True}
    assert wheres(two) == ["components.b.field", "components.b.cats_prefix", "components.b.spans_key"]
    two["components"]["b"] |= {"field": "other", "cats_prefix": "b_", "spans_key": "other"}
    assert not wheres(two)


def test_data_flow_is_told_beside_other_faults() -> None:
    Language.component("test_needs", func=lambda doc: doc, requires=["doc._.never"])
    tree = {"nlp": {"lang": "en", "pipeline": ["test_needs"], "btch_size": 1}}
    assert wheres(tree) == ["nlp.btch_size", "components.test_needs"]


@pytest.mark.parametrize("source", [TREE, "sentiment", "summary"])
def test_the_resolved_config_is_spacys_own_and_a_fixed_point(source: Any, tmp_path: Path) -> None:
    text = resolved(source).interpolate().to_str()
    nlp = load_model_from_config(Config().from_str(text), auto_fill=False)
    assert nlp.config.to_str() == text
    (tmp_path / "p.cfg").write_text(text, "utf-8")
    assert resolved(tmp_path / "p.cfg").interpolate().to_str() == text
    assert not faults(tmp_path / "p.cfg")


def test_threads_can_load_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: resolved({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}}), range(8)))
    assert all(config == loaded[0] for config in loaded)
