"""A tiny checkpoint and a corpus of pictures for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def tiny_captioner(tiny_checkpoint: Callable[..., str]) -> Callable[..., str]:
    """`tiny_captioner(family)`: a checkpoint that writes about images."""

    def build(family: str = "vit-gpt2") -> str:
        return tiny_checkpoint(family)

    return build


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight pictures, `0.png` to `7.png`, no two alike, and some files that are none."""
    root = tmp_path_factory.mktemp("pictures")
    for index in range(8):
        values = np.random.default_rng(index).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(values).resize((40 + 10 * (index % 3), 40), Image.Resampling.BICUBIC)
        picture.save(root / f"{index}.png")
    whole = (root / "0.png").read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "empty.png").write_bytes(b"")
    (root / "text.jpg").write_text("no picture")
    return root
