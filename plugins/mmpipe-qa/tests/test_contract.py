"""The component keeps the contract of mmpipe's components."""

from __future__ import annotations

from collections.abc import Callable

from mmpipe.testing import ORDINARY_RECORDS, check_component


def test_contract(tiny_checkpoint: Callable[..., str]) -> None:
    model = {"name": tiny_checkpoint("bert", has_spans=True), "precision": "fp32", "device": "cpu"}
    records = [{**record, "questions": ["how was the food?", "who wrote?"]} for record in ORDINARY_RECORDS]
    check_component("mmpipe_qa", {"model": model, "questions": ["what is it about?"], "top_k": 2}, records=records)
