"""The configs of docs/training.md are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training

GUIDE = Path(__file__).parents[2] / "docs" / "training.md"
LISTINGS = re.findall(r"```ini\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL) if GUIDE.is_file() else []


@pytest.mark.skipif(not LISTINGS, reason="not in the repository")
@pytest.mark.parametrize("index", range(4))
def test_listings_are_valid(tmp_path: Path, index: int) -> None:
    smallest, listing = LISTINGS[0], LISTINGS[index]
    paths = smallest.split("[nlp]")[0]
    text = listing if "[nlp]" in listing and "[paths]" in listing else paths + listing
    text = smallest + listing if "[nlp]" not in listing else text
    (tmp_path / "train.cfg").write_text(text, "utf-8")
    assert read_training(tmp_path / "train.cfg", {}, get_plugins()).faults == ()


@pytest.mark.skipif(not LISTINGS, reason="not in the repository")
def test_every_setting_is_described() -> None:
    import inspect

    from mmpipe.models.training import TrainingTable
    from mmpipe.train.corpus import jsonl_corpus

    text = GUIDE.read_text("utf-8")
    names = [*inspect.signature(jsonl_corpus).parameters, *TrainingTable.__annotations__]
    assert not [name for name in names if f"\n| `{name}` |" not in text]
