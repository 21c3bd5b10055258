"""A plugin whose component breaks when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmpipe.testing.distributions import installed, write_plugin

_COMPONENT = """
import os, signal
from pathlib import Path
from spacy.language import Language
from spacy.tokens import Doc

if not Doc.has_extension("n_words"):
    Doc.set_extension("n_words", default=None)

@Language.component("frail", assigns=["doc._.n_words"])
def frail(doc):
    if "raise" in doc.text and not Path("mended").exists():
        raise ValueError(f"cannot read {doc.text!r} at {hex(id(doc))}")
    if "die" in doc.text and not Path("mended").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    doc._.n_words = len(doc)
    return doc
"""
_HOOKS = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_components():
    yield mmpipe.ComponentSpec("frail", "frail_component", "breaks when told to")
"""


@contextmanager
def frail_plugin(site: Path) -> Iterator[None]:
    """The plugin `frail` is installed, in processes that are started too.

    site: an empty folder for it. Its component, `frail`, writes `doc._.n_words`. On a text with "raise" it raises
    ValueError, on one with "die" it kills its process, as the system does for want of memory; where a file `mended`
    stands in the current folder, it does neither.
    """
    write_plugin(site, "frail", _HOOKS, files={"frail_component.py": _COMPONENT})
    with installed(site):
        yield
