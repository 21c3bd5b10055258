"""A tiny checkpoint for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny_classifier(family, **options)`: a folder of `mmpipe.testing.tiny_checkpoint` with labels."""
    from mmpipe.testing import tiny_checkpoint

    def build(family: str = "bert", **options: Any) -> str:
        options.setdefault("labels", ("negative", "positive"))
        return str(tiny_checkpoint(tmp_path_factory.mktemp(family), family, **options))

    return build
