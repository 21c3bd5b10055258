"""The command line in this process, and a plugin that tells what it should not."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mmpipe.testing import write_plugin

_COMPONENTS = """
import logging
import warnings

from spacy.language import Language
from spacy.tokens import Doc, Span

for field in ("echo", "quote"):
    if not Doc.has_extension(field):
        Doc.set_extension(field, default=None)

NAMES = ("Margaret Pell", "Achterberg", "陈雨")


if not Language.has_factory("namer"):  # Each test imports this anew.

    @Language.component("namer", assigns=["doc.ents"])
    def namer(doc):
        places = [(doc.text.find(name), name) for name in NAMES]
        spans = [doc.char_span(at, at + len(name), label="PERSON") for at, name in places if at >= 0]
        doc.ents = [span for span in spans if span is not None]
        return doc

    @Language.component("blabber", assigns=["doc._.echo", "doc._.quote"])
    def blabber(doc):
        print("read", doc.text)
        logging.getLogger("blabber").warning(f"read {doc.text}")
        warnings.warn(doc.text)
        if "poison" in doc.text:
            raise ValueError(f"cannot digest {doc.text!r}")
        doc._.echo = {"text": doc.text, "words": doc.text.split(), "score": 0.5}
        doc._.quote = [{"start": 3, "end": len(doc.text) - 2, "text": doc.text[3 : len(doc.text) - 2], "score": 0.5}]
        return doc
"""
_HOOKS = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("namer", "blabber_component", "finds three names")
    yield mmpipe.ComponentSpec("blabber", "blabber_component", "tells what it reads")
"""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def mmpipe_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`mmpipe_command("run", ...)`: what the command line exits with and prints, its child processes included."""
    from mmpipe.cli.main import main

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mmpipe", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        sys.stdout.flush()
        return Outcome(int(exit_.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture
def blabber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Components `namer`, which finds three names, and `blabber`; the current folder, empty."""
    from mmpipe.plugins import get_plugins

    site, work = tmp_path / "site", tmp_path / "work"
    site.mkdir()
    work.mkdir()
    write_plugin(site, "blabber", _HOOKS, files={"blabber_component.py": _COMPONENTS})
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    monkeypatch.chdir(work)
    importlib.invalidate_caches()
    get_plugins.cache_clear()
    yield work
    for name in ("blabber_plugin", "blabber_component"):
        sys.modules.pop(name, None)
    get_plugins.cache_clear()
