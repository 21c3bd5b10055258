"""Fixtures for all tests: tiny checkpoints, built once a session; no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Set before transformers, huggingface_hub and torch are imported, which read them once.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
# Tiny models only lose time to threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def frail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin of `write_frail_plugin` is installed, in processes that are started too; `tmp_path`."""
    from mmpipe.plugins import get_plugins
    from mmpipe.testing import write_frail_plugin

    site = tmp_path / "site"
    site.mkdir()
    write_frail_plugin(site)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]))
    get_plugins.cache_clear()
    yield tmp_path
    for name in ("frail_plugin", "frail_component"):
        sys.modules.pop(name, None)
    get_plugins.cache_clear()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny(family, **options)`: a folder of `tiny_checkpoint`; equal calls share one, so copy it to change it."""
    from mmpipe.testing import tiny_checkpoint

    made: dict[Any, Path] = {}
    root = tmp_path_factory.mktemp("checkpoints")

    def build(family: str = "bert", **options: Any) -> str:
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = tiny_checkpoint(root / f"{family}-{len(made)}", family, **options)
        return str(made[key])

    return build
