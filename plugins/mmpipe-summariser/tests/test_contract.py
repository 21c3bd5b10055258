"""The component keeps the contract of mmpipe's components, extractive and written."""

from __future__ import annotations

from collections.abc import Callable

from mmpipe.testing import check_component


def test_extractive(tiny_checkpoint: Callable[..., str]) -> None:
    model = {"name": tiny_checkpoint("bert"), "precision": "fp32", "device": "cpu"}
    check_component("mmpipe_summariser", {"model": model, "n_sentences": 1}, before=["sentencizer"])


def test_written(tiny_checkpoint: Callable[..., str]) -> None:
    model = {
        "@architectures": "mmpipe.Seq2Seq.v1",
        "name": tiny_checkpoint("bart"),
        "precision": "fp32",
        "device": "cpu",
        "max_new_tokens": 4,
        "num_beams": 1,
    }
    settings = {"model": model}
    skip = ("registration", "processes")
    check_component("mmpipe_summariser", settings, optional={"doc.spans"}, skip=skip, n_huge_chars=20_000)
