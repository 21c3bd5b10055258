"""The component keeps the contract of mmpipe's components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmpipe.testing import check_component


@pytest.mark.parametrize(
    ("settings", "skip"), [({"per_sentence": True, "field": "mood"}, ()), ({"cats_prefix": "mood_"}, ("processes",))]
)
def test_contract(tiny_checkpoint: Callable[..., str], settings: dict[str, Any], skip: tuple[str, ...]) -> None:
    name = tiny_checkpoint("bert", labels=("negative", "positive"))
    model = {"name": name, "precision": "fp32", "device": "cpu"}
    check_component("mmpipe_sentiment", {"model": model, **settings}, skip=skip)
