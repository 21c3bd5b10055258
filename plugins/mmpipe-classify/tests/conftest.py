"""Tiny checkpoints for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny(family, **options)`: a folder of `mmpipe.testing.tiny_checkpoint`, which reads 128 tokens at once."""
    from mmpipe.testing import tiny_checkpoint

    def build(family: str = "bert", **options: Any) -> str:
        return str(tiny_checkpoint(tmp_path_factory.mktemp(family), family, **{"max_tokens": 128, **options}))

    return build
