"""`mmpipe --untrusted`, before or behind the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize("is_behind", [False, True])
def test_a_strangers_pipeline_on_the_command_line(
    is_behind: bool, mmpipe: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MMPIPE_UNTRUSTED", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")  # Set back when the test is over.
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "model.safetensors").touch()
    monkeypatch.chdir(tmp_path / "here")
    model = {"name": str(tmp_path / "elsewhere")}
    tree = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "mmpipe_sentiment", "model": model}},
    }
    Path("p.json").write_text(json.dumps(tree))
    assert mmpipe("validate", "p.json").code == 0
    done = mmpipe(*(("validate", "p.json", "--untrusted") if is_behind else ("--untrusted", "validate", "p.json")))
    assert done.code == 3 and "components.s.model.name" in done.out and "lies outside" in done.out
    assert "--untrusted" in mmpipe("--help").out
