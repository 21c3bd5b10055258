"""The page about the kit names every check and everything that the kit offers."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmpipe.testing
from mmpipe.testing import COMPONENT_CHECKS, READER_CHECKS, WRITER_CHECKS

GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*COMPONENT_CHECKS, *READER_CHECKS, *WRITER_CHECKS])
def test_every_check_is_there(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_every_public_name_exists() -> None:
    assert all(hasattr(mmpipe.testing, name) for name in mmpipe.testing.__all__)
