"""The configs that a page shows, held against what mmpipe takes: nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from documentation.page import Listing
from mmpipe.config import read_pipeline
from mmpipe.config.spelling import SPELLINGS
from mmpipe.plugins import get_plugins
from mmpipe.train.config import read_training

_OF_TRAINING = {"paths", "corpora", "training", "initialize"}


class Configs:
    """The configs of one page, in order: a part is laid over the last whole one, which keeps the `paths` before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole: dict[str, Any] = {}

    def faults(self, listing: Listing) -> str:
        """Everything wrong with a config; an empty string where nothing is."""
        tree = SPELLINGS[".cfg"](listing.text)
        if "nlp" in tree:
            paths = {"paths": self.whole["paths"]} if "paths" in self.whole else {}
            self.whole = tree = {**paths, **tree}
        else:
            tree = _laid_over(self._base(listing), tree)
        if _OF_TRAINING.isdisjoint(tree):
            found = read_pipeline(tree, None, get_plugins())
        else:
            file = self.folder / "listing.json"
            file.write_text(json.dumps(tree), "utf-8")
            found = read_training(file, {}, get_plugins())
            file.unlink()
        return "\n".join(str(fault) for fault in found.faults)

    def _base(self, listing: Listing) -> Mapping[str, Any]:
        if listing.onto is None:
            if not self.whole:
                raise ValueError(f"{listing.place}: a part of a config, and no whole one before it; say `onto`")
            return self.whole
        file = self.folder / listing.onto
        if file.is_file():
            return SPELLINGS[file.suffix](file.read_text("utf-8"))
        return get_plugins().get("pipelines", listing.onto).config


def _laid_over(base: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with the part's values in it. A block of another registered function takes the old one's place."""
    tree = dict(base)
    for key, value in part.items():
        old = base.get(key)
        is_other = isinstance(value, Mapping) and any(name.startswith("@") for name in value)
        is_laid = isinstance(old, Mapping) and isinstance(value, Mapping) and not is_other
        tree[key] = _laid_over(old, value) if is_laid else value
    return tree
