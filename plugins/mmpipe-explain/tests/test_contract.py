"""The contract of a component, by mmpipe's own test kit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmpipe.testing import check_component

RECORDS = [
    {"text": "This film is good.", "question": "What is good?"},
    {"text": "never again", "questions": ["When?", "Why?"]},
    {"text": "The cat sat on the mat. It was raining in the morning, then the sun came out!"},
]


def test_the_contract_of_a_component(tiny: Callable[..., str]) -> None:
    def block(factory: str, **options: Any) -> dict[str, Any]:
        return {"factory": factory, "model": {"name": tiny("bert", max_tokens=512, **options), "precision": "fp32"}}

    before = {
        "tone": block("mmpipe_sentiment", labels=("negative", "positive")),
        "qa": block("mmpipe_qa", has_spans=True),
    }
    few_steps = {"n_steps": 2, "max_steps": 2, "tolerance": 1e9}
    check_component("mmpipe_explain", few_steps, records=RECORDS, before=before, n_huge_chars=20_000)
