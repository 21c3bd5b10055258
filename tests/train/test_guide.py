"""docs/training.md describes every setting. Its configs are checked with all other listings, in tests/docs."""

from __future__ import annotations

from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.mark.skipif(not GUIDE.is_file(), reason="not in the repository")
def test_every_setting_is_described() -> None:
    import inspect

    from mmpipe.models.training import TrainingTable
    from mmpipe.train.corpus import jsonl_corpus

    text = GUIDE.read_text("utf-8")
    names = [*inspect.signature(jsonl_corpus).parameters, *TrainingTable.__annotations__]
    assert not [name for name in names if f"\n| `{name}` |" not in text]
