"""The contract that every component keeps, by mmpipe's own kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mmpipe.testing

check_component = getattr(mmpipe.testing, "check_component", None)
pytestmark = pytest.mark.skipif(check_component is None, reason="this mmpipe has no check_component")

RECORDS = [
    {"id": "a", "text": "This film is good. That dog is lazy.", "label": "dog"},
    {"id": "b", "text": "What a wonderful day; it was raining, then the sun came out!"},
    {"id": "c", "text": "The quick brown fox jumps over the lazy dog. " * 20},
]
CPU = {"device": "cpu", "precision": "fp32"}


def check(factory: str, model: dict[str, Any], **settings: Any) -> None:
    assert check_component is not None
    check_component(factory, {"model": {**CPU, **model}, "per_sentence": True, **settings}, records=RECORDS)


def test_zero_shot_by_embeddings(tiny: Callable[..., str]) -> None:
    labels = {"film": "good films", "dog": ["the lazy dog"]}
    check("mmpipe_zero_shot", {"name": tiny("bert")}, labels=labels, multi_label=True)


def test_zero_shot_by_entailment(tiny: Callable[..., str]) -> None:
    name = tiny("bert", labels=("entailment", "neutral", "contradiction"))
    check("mmpipe_zero_shot", {"@architectures": "mmpipe_classify.Entailment.v1", "name": name}, labels=["film", "dog"])


def test_text_classifier(tiny: Callable[..., str]) -> None:
    check("mmpipe_text_classifier", {"name": tiny("bert", labels=("film", "dog"))}, threshold={"dog": 0.4}, top_k=1)
