"""The page about the kit names every check and everything that the kit offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mmpipe.testing
from mmpipe.testing import COMPONENT_CHECKS, READER_CHECKS, WRITER_CHECKS

GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*COMPONENT_CHECKS, *READER_CHECKS, *WRITER_CHECKS])
def test_every_check_is_there(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_help_shows_every_public_name() -> None:
    program = "import sys, mmpipe.testing as kit; print(*set(kit.__all__) - set(dir(kit)), 'spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False"]
    assert not [name for name in mmpipe.testing.__all__ if name not in str(mmpipe.testing.__doc__)]


def test_every_public_name_exists() -> None:
    assert all(hasattr(mmpipe.testing, name) for name in mmpipe.testing.__all__)
