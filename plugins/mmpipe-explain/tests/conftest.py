"""Tiny checkpoints and pipelines for the tests of this plugin; no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from spacy.language import Language

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def tiny(tiny_checkpoint: Callable[..., str]) -> Callable[..., str]:
    """`tiny(family, **options)`: mmpipe's own fixture, by a shorter name."""
    return tiny_checkpoint


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
