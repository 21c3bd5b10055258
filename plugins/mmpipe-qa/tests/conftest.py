"""Tiny checkpoints for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny_extractor(tiny_checkpoint: Callable[..., str]) -> Callable[..., str]:
    """`tiny_extractor(family, **options)`: a checkpoint that finds answers; equal calls share one."""
    return partial(tiny_checkpoint, has_spans=True)
