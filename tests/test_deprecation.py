"""What is deprecated: the plugin works, its author is told where and what, and the listing shows it."""

from __future__ import annotations

import json
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmpipe
from mmpipe import hookspecs
from mmpipe.deprecation import deprecated
from mmpipe.plugins import PluginRegistry, discover
from mmpipe.testing import write_plugin

HOOK = deprecated("the hook mmpipe_old", instead="use mmpipe_components", since="0.3", until="0.5")
ARGUMENT = deprecated("the argument 'colour' of mmpipe_told", instead="it has gone to run", since="0.3", until="0.5")
OLD = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_old(): ...

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("old_tone", "nowhere")
"""
TAKES = "import mmpipe\n\n@mmpipe.hookimpl\ndef mmpipe_told(run, colour): ..."
FINE = "import mmpipe\n\n@mmpipe.hookimpl\ndef mmpipe_told(run): ..."


@pytest.fixture
def contract() -> types.ModuleType:
    """mmpipe's hooks, one more that is deprecated, and one with an argument that is."""
    module = types.ModuleType("contract")
    vars(module).update({name: hook for name, hook in vars(hookspecs).items() if name.startswith("mmpipe_")})

    @hookspecs.hookspec(warn_on_impl=HOOK)
    def mmpipe_old() -> None: ...

    @hookspecs.hookspec(warn_on_impl_args={"colour": ARGUMENT})
    def mmpipe_told(run: str, colour: str) -> None: ...

    vars(module).update(mmpipe_old=mmpipe_old, mmpipe_told=mmpipe_told)
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("old_plugin", "takes_plugin", "fine_plugin"):
        sys.modules.pop(name, None)


def found(registry: PluginRegistry, name: str) -> mmpipe.plugins.Plugin:  # type: ignore[name-defined]
    return next(plugin for plugin in registry.plugins if plugin.name == name)


def test_the_author_is_told(
    site: Path, contract: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, code in (("old", OLD), ("takes", TAKES), ("fine", FINE)):
        write_plugin(site, name, code, version="2.1")
    with pytest.warns(mmpipe.PluginDeprecationWarning) as caught:
        registry = discover(environ={"MMPIPE_PLUGINS": "old,takes,fine"}, contract=contract)
    told = {Path(warning.filename).name: (str(warning.message), warning.lineno) for warning in caught}
    said = "mmpipe-old 2.1: the hook mmpipe_old is deprecated since mmpipe 0.3 and gone in 0.5: use mmpipe_components"
    assert told["old_plugin.py"] == (said, 4)
    assert told["takes_plugin.py"][0].startswith("mmpipe-takes 2.1: the argument 'colour' of mmpipe_told is deprecated")
    assert len(caught) == 2
    assert {found(registry, name).status for name in ("old", "takes", "fine")} == {"loaded"}
    assert found(registry, "old").warnings == [str(HOOK)] and found(registry, "old").error is None
    assert found(registry, "fine").warnings == []
    assert "old_tone" in registry.names("components")

    from mmpipe.cli.plugins import list_plugins

    monkeypatch.setattr("mmpipe.cli.plugins.get_plugins", lambda: registry)
    list_plugins(as_json=True)
    listed = {plugin["distribution"]: plugin for plugin in json.loads(capsys.readouterr().out)}
    assert listed["mmpipe-takes"]["warnings"] == [str(ARGUMENT)] and listed["mmpipe-fine"]["warnings"] == []
    monkeypatch.setenv("COLUMNS", "300")
    list_plugins(as_json=False)
    assert f"deprecated: {HOOK}" in capsys.readouterr().out


def test_a_warning_made_an_error_fails_that_plugin_alone(site: Path, contract: types.ModuleType) -> None:
    for name, code in (("old", OLD), ("fine", FINE)):
        write_plugin(site, name, code)
    with warnings.catch_warnings():
        warnings.simplefilter("error", mmpipe.PluginDeprecationWarning)
        registry = discover(environ={"MMPIPE_PLUGINS": "old,fine"}, contract=contract)
    assert found(registry, "old").status == "failed" and "mmpipe_old is deprecated" in str(found(registry, "old").error)
    assert found(registry, "fine").status == "loaded" and "old_tone" not in registry.names("components")


def test_nothing_is_deprecated_without_a_mend() -> None:
    """Marks of the real contract name the hook, and say what to do instead."""
    registry = PluginRegistry()
    for name in (name for name in vars(hookspecs) if name.startswith("mmpipe_")):
        spec = getattr(registry.manager.hook, name).spec
        marks = [spec.warn_on_impl, *(spec.warn_on_impl_args or {}).values()]
        for mark in (mark for mark in marks if mark is not None):
            assert isinstance(mark, mmpipe.PluginDeprecationWarning) and name in str(mark)
