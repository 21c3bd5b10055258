"""The contract that every component keeps, by mmpipe's own kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmpipe.testing import check_component

RECORDS = [
    {"id": "a", "text": "This film is good. That dog is lazy.", "label": "dog"},
    {"id": "b", "text": "What a wonderful day; it was raining, then the sun came out!"},
    {"id": "c", "text": "The quick brown fox jumps over the lazy dog. " * 20},
]
CPU = {"device": "cpu", "precision": "fp32"}


def check(factory: str, model: dict[str, Any], *, has_processes: bool = False, **settings: Any) -> None:
    # Processes take long to start, and what is sent to them is alike in all three.
    skip = () if has_processes else ("registration", "processes")
    config = {"model": {**CPU, **model}, "per_sentence": True, **settings}
    check_component(factory, config, records=RECORDS, before=["sentencizer"], n_huge_chars=20_000, skip=skip)


def test_zero_shot_by_embeddings(tiny: Callable[..., str]) -> None:
    labels = {"film": "good films", "dog": ["the lazy dog"]}
    check("mmpipe_zero_shot", {"name": tiny("bert")}, labels=labels, multi_label=True, has_processes=True)


def test_zero_shot_by_entailment(tiny: Callable[..., str]) -> None:
    name = tiny("bert", labels=("entailment", "neutral", "contradiction"))
    check("mmpipe_zero_shot", {"@architectures": "mmpipe_classify.Entailment.v1", "name": name}, labels=["film", "dog"])


def test_text_classifier(tiny: Callable[..., str]) -> None:
    check("mmpipe_text_classifier", {"name": tiny("bert", labels=("film", "dog"))}, threshold={"dog": 0.4}, top_k=1)
