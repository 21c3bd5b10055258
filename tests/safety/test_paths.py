"""What a stranger's config may name of this machine, and what no config may."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmpipe
from mmpipe.config import read_pipeline
from mmpipe.config.trust import Trust
from mmpipe.models.reference import Reference
from mmpipe.plugins import get_plugins


def using(name: str, **settings: Any) -> dict[str, Any]:
    model = {"name": name, "device": "cpu", **settings}
    return {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "mmpipe_sentiment", "model": model}},
    }


@pytest.fixture
def elsewhere(home: Path, tiny: Callable[..., str]) -> Path:
    """A good checkpoint in another user's folder."""
    return shutil.copytree(tiny("bert", labels=("bad", "good")), home.parent / "secret" / "model")


@pytest.mark.parametrize(
    "name", ["../secret/model", "/ABS", "~/../secret/model", "./../secret/model", "link", "holder"]
)
def test_a_model_outside_the_roots(name: str, tried: Callable, elsewhere: Path, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(home))
    (home / "link").symlink_to(elsewhere)
    (home / "holder").mkdir()
    for file in elsewhere.iterdir():
        (home / "holder" / file.name).symlink_to(file)
    name = name.replace("/ABS", str(elsewhere))
    found = tried(using(name), untrusted=True)
    assert [fault.where for fault in found.error.faults] == ["components.s.model.name"]
    assert "lies outside" in found.said and "MMPIPE_ROOTS" in found.said
    assert mmpipe.load(using(name))("a film")._.sentiment["label"]  # The user's own config may.


def test_a_folder_that_may_not_be_named_is_not_looked_into(elsewhere: Path, home: Path, monkeypatch: Any) -> None:
    looked: list[Path] = []
    rglob = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: looked.append(self) or rglob(self, pattern))
    trust = Trust.of(True, home, {}, {})
    assert not trust.allows(Path("/")) and not trust.allows(elsewhere) and not looked
    shutil.copytree(elsewhere, home / "own")
    assert trust.allows(home / "own") and looked == [home / "own"]


def test_roots_and_overrides_are_the_users_word(tried: Callable, elsewhere: Path, home: Path, monkeypatch: Any) -> None:
    shutil.copytree(elsewhere, home / "own")
    assert tried(using("own"), untrusted=True, text="a film").error is None
    given = {"components.s.model.name": str(elsewhere)}
    plugins = get_plugins()
    assert not read_pipeline(using("own"), given, plugins, untrusted=True).faults
    assert read_pipeline(using(str(elsewhere)), None, plugins, untrusted=True).faults
    monkeypatch.setenv("MMPIPE_ROOTS", str(elsewhere.parent))
    assert not read_pipeline(using(str(elsewhere)), None, plugins, untrusted=True).faults
    monkeypatch.setenv("MMPIPE_ROOTS", "")
    monkeypatch.setenv("MMPIPE_UNTRUSTED", "1")
    assert read_pipeline(using(str(elsewhere)), None, plugins).faults
    assert not read_pipeline(using(str(elsewhere)), None, plugins, untrusted=False).faults


@pytest.mark.parametrize(
    "name",
    ["file:///etc/passwd", "//host/share/model", r"\\host\share\model", "http://host/model", "a\0b", "", "a/../.."],
)
@pytest.mark.parametrize("untrusted", [False, True])
def test_addresses_are_no_models(name: str, untrusted: bool, tried: Callable) -> None:
    assert tried(using(name, offline=True), untrusted=untrusted).error is not None


@pytest.mark.parametrize("revision", ["../../../secret/secret.txt", "/etc/passwd", "a/../../b", "", "-x"])
def test_a_revision_is_no_path(revision: str, tried: Callable) -> None:
    with pytest.raises(mmpipe.ModelError, match="is no revision"):
        Reference("someone/model", revision, offline=True).locate()


def test_a_hub_model_is_not_fetched_for_a_stranger(tried: Callable, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    found = tried(using("someone/some-model", revision="abc"), untrusted=True)
    assert "the network is forbidden" in found.said
    assert "`mmpipe models fetch someone/some-model --revision abc`" in found.said
    assert "network is forbidden" in tried(using("someone/some-model", offline=True)).said
    again = tried(using("someone/some-model", offline=False), untrusted=True)
    assert "the network is forbidden" in again.said


@pytest.mark.parametrize(
    ("setting", "value"),
    [("allow_urls", True), ("roots", ["/"]), ("roots", ["../secret"]), ("roots", ["/etc", "."]), ("roots", ["~root"])],
)
def test_a_stranger_opens_no_network_and_no_folders_to_records(setting: str, value: Any, tried: Callable) -> None:
    tree = {
        "nlp": {"lang": "en", "pipeline": ["c"]},
        "components": {"c": {"factory": "mmpipe_caption", setting: value}},
    }
    found = tried(tree, untrusted=True, weights=False)
    assert found.error is not None and f"components.c.{setting}" in found.said
    assert tried(tree, weights=False).error is None


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", r"a\b", "..", "c:evil"])
def test_a_component_name_is_no_path(name: str, tried: Callable) -> None:
    """A saved pipeline has a folder of that name."""
    tree = {"nlp": {"lang": "en", "pipeline": [name]}, "components": {name: {"factory": "sentencizer"}}}
    assert tried(tree).error is not None


@pytest.mark.parametrize(
    "value",
    ["${HOME}", "${env.HOME}", "${env:HOME}", "${os.environ.HOME}", "${paths.${variables.a}}", "$${paths.x}", "${}"],
)
def test_interpolation_reaches_nothing_but_the_config(value: str, tried: Callable, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", "/the-home-of-a-user")
    monkeypatch.setenv("SPACY_CONFIG_OVERRIDES", "--nlp.lang=de")
    tree = using("mmpipe/sentiment-small") | {"variables": {"a": "x"}, "paths": {"x": "y"}}
    tree["components"]["s"]["field"] = value
    found = tried(tree, weights=False)
    assert found.error is not None and "/the-home-of-a-user" not in found.said


def test_what_comes_out_of_interpolation_is_checked(tried: Callable, home: Path) -> None:
    tree = using("$${variables.path}") | {"variables": {"path": "../secret"}}
    assert "comes out of filling in another" in tried(tree, weights=False).said
    (home / "p.cfg").write_text(
        '[variables]\nkind = "srsly.read_json.v1"\nup = ".."\n[nlp]\nlang = "en"\n[nlp.before_creation]\n'
        '@readers = ${variables.kind}\npath = "${variables.up}/secret/secret.json"\n'
    )
    assert "nlp.before_creation.@readers" in tried(home / "p.cfg").said
