"""Tiny checkpoints and pipelines for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from spacy.language import Language

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny(family, **options)`: a folder of `mmpipe.testing.tiny_checkpoint`; equal calls share one."""
    from mmpipe.testing import tiny_checkpoint

    made: dict[Any, str] = {}

    def build(family: str = "bert", **options: Any) -> str:
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = str(tiny_checkpoint(tmp_path_factory.mktemp(family), family, **options))
        return made[key]

    return build


@pytest.fixture(scope="session")
def explaining() -> Callable[..., Language]:
    """`explaining(factory, checkpoint, lang=, model={}, component={}, **settings)`: it, and an explanation of it."""
    import mmpipe

    def load(
        factory: str, checkpoint: str, *, lang: str = "en", model: Any = (), component: Any = (), **settings: Any
    ) -> Language:
        block = {"name": checkpoint, "precision": "fp32", "device": "cpu", **dict(model)}
        components = {
            "told": {"factory": factory, "model": block, **dict(component)},
            "explain": {"factory": "mmpipe_explain", **settings},
        }
        return mmpipe.load({"nlp": {"lang": lang, "pipeline": ["told", "explain"]}, "components": components})

    return load
