"""The component keeps the contract of mmpipe's components, on records with no, one and several images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmpipe.testing import check_component


def test_contract(tiny_checkpoint: Callable[..., str], corpus: Path) -> None:
    model = {"name": tiny_checkpoint("vit-gpt2"), "precision": "fp32", "device": "cpu"}
    records = [
        {"id": "one", "image": "0.png"},
        {"id": "several", "text": "with a text", "images": ["1.png", "2.png", "1.png"]},
        {"id": "none", "text": "without an image"},
        {"id": "another", "image": "3.png"},
    ]
    cut = {"id": "cut", "image": "cut.png"}
    check_component("mmpipe_caption", {"model": model}, records=records, root=corpus, failing=cut)
    # And where it is not an image that fails.
    check_component("mmpipe_caption", {"model": model}, records=records, root=corpus, only=["error-isolation"])
