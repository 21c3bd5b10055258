"""Plugins import only what is public: those in plugins/ do, and one that does not is named."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("griffe")
pytest.importorskip("importlinter")

PROJECT = """
[project]
name = "mmpipe-acme"
version = "1.0"

[project.entry-points.mmpipe]
mmpipe_acme = "mmpipe_acme"
"""
FOLDER = "plugins/mmpipe-acme/src/mmpipe_acme"
FAULTS = {
    "private module": (
        "component",
        "def f():\n    from mmpipe.registry import Plugin",
        "mmpipe_acme.component -> mmpipe.registry",
    ),
    "private package": ("component", "from mmpipe.corpus import run", "mmpipe_acme.component -> mmpipe.corpus.run"),
    "another plugin": ("component", "import mmpipe_qa.asked", "mmpipe_acme.component -> mmpipe_qa.asked"),
    "heavy hooks": ("__init__", "import torch", "mmpipe_acme -> torch"),
    "private name": ("component", "from mmpipe.corpus.source import find_inputs", "mmpipe.corpus.source.find_inputs"),
    "underscore": ("component", "from mmpipe.component import _opens", "mmpipe.component._opens"),
    "through a module": ("more", "from mmpipe.models import ranker\nranker.forward", "mmpipe.models.ranker.forward"),
}


def test_ours_keep_to_it_and_faults_are_named(tree: Any) -> None:
    status, told = tree.run("plugin_imports.py")
    assert status == 0, told
    assert "mmpipe_sentiment imports only what is public KEPT" in told
    tree.write("plugins/mmpipe-acme/pyproject.toml", PROJECT)
    files: dict[str, list[str]] = {"__init__": ["import mmpipe"], "component": [], "more": []}
    tree.write(
        f"{FOLDER}/component.py", "from mmpipe.component import TransformerPipe\nfrom mmpipe.models import seq2seq"
    )
    tree.write(f"{FOLDER}/__init__.py", "import mmpipe\n\nmmpipe.ReaderSpec, mmpipe.__version__\n")
    status, told = tree.run("plugin_imports.py")
    assert status == 0 and "mmpipe_acme imports only what is public KEPT" in told, told
    for file, code, _ in FAULTS.values():
        files[file].append(code)
    for file, codes in files.items():
        tree.write(f"{FOLDER}/{file}.py", "\n".join(codes) + "\n")
    status, told = tree.run("plugin_imports.py")
    assert status == 1 and "docs/plugin-api.md lists what a plugin may import" in told
    for what, (*_, said) in FAULTS.items():
        assert said in told, f"{what}: {told}"


def test_an_exception_that_is_needed_no_longer_is_told(tree: Any) -> None:
    row = "| `mmpipe_multimodal.component` | `mmpipe.media.location` |"
    tree.edit("docs/plugin-api.md", row, f"| `mmpipe_qa.asked` | `mmpipe.registry` | none |\n{row}")
    status, told = tree.run("plugin_imports.py")
    assert status == 1 and "mmpipe_qa.asked -> mmpipe.registry" in told


def test_the_table_names_what_there_is(tree: Any) -> None:
    from contract.imports import configuration
    from contract.public import exceptions, public

    assert all(reason for reason in exceptions().values())
    told = configuration().partition("[importlinter:contract")[2]
    assert not [row.module for row in public() if f"\n    {row.module}\n" in told]
    assert "\n    mmpipe.registry\n" in told and "\n    mmpipe.corpus.process\n" in told
