"""Tiny checkpoints for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny_extractor(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny_extractor(family, **options)`: a folder of `mmpipe.testing.tiny_checkpoint`; equal calls share one."""
    from mmpipe.testing import tiny_checkpoint

    made: dict[Any, str] = {}

    def build(family: str = "bert", **options: Any) -> str:
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = str(tiny_checkpoint(tmp_path_factory.mktemp(family), family, has_spans=True, **options))
        return made[key]

    return build
