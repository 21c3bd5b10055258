"""Fixtures for all tests: tiny checkpoints, built once a session; no network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Set before transformers, huggingface_hub and torch are imported, which read them once.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
# Tiny models only lose time to threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def frail(tmp_path: Path) -> Iterator[Path]:
    """The plugin of `mmpipe.testing.frail_plugin` is installed; `tmp_path`."""
    from mmpipe.testing import frail_plugin

    site = tmp_path / "site"
    site.mkdir()
    with frail_plugin(site):
        yield tmp_path


@pytest.fixture(scope="session")
def tiny(tiny_checkpoint: Callable[..., str]) -> Callable[..., str]:
    """`tiny(family, **options)`: mmpipe's own fixture, by a shorter name; copy a folder to change it."""
    return tiny_checkpoint
