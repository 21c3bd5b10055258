"""Tiny checkpoints for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint: Callable[..., str]) -> Callable[..., str]:
    """`tiny_model(family, **options)`: mmpipe's own fixture, by a shorter name."""
    return tiny_checkpoint
