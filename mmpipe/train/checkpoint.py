"""Checkpoints: all that a training needs to go on as if it had never been interrupted."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import srsly
import torch
from safetensors import SafetensorError
from spacy.language import Language
from thinc.api import Optimizer

from mmpipe.errors import ConfigError, MmpipeError
from mmpipe.train.weights import restore_weights, store_weights

FOLDER = "checkpoints"
_STATE, _WEIGHTS, _MADE_WITH = "state.msgpack", "weights", "made_with.json"
Tree = Mapping[str, Any]


class Checkpoints:
    """The checkpoints below an output folder, of which the newest whole one counts; older ones are removed.

    made_with: what must be the same for a training to go on: the config, and a digest of the corpus.
    """

    def __init__(self, output: Path, made_with: Tree) -> None:
        self.folder, self.made_with = output / FOLDER, made_with

    @property
    def newest(self) -> Path | None:
        """The folder of the newest checkpoint; None where there is none."""
        found = sorted(p for p in self.folder.glob("[0-9]*") if p.name.isdigit())
        return found[-1] if found else None

    def clear(self) -> None:
        """Remove all of them. The empty folder that is left says that a training has begun."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def store(self, nlp: Language, optimizer: Optimizer, state: Tree, n_steps: int) -> None:
        """Write one, whole or not at all."""

        def write(folder: Path) -> None:
            (folder / _WEIGHTS).mkdir()
            store_weights(nlp, optimizer, folder / _WEIGHTS)
            stored = {"state": state, "generators": _generators()}
            (folder / _STATE).write_bytes(srsly.msgpack_dumps(stored))
            (folder / _MADE_WITH).write_text(json.dumps(self.made_with, indent=2, sort_keys=True), "utf-8")

        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / f"{n_steps:09d}"
        replace_folder(kept, write)
        for other in self.folder.iterdir():
            if other != kept:
                shutil.rmtree(other)

    def restore(self, nlp: Language, optimizer: Optimizer) -> tuple[Tree, Callable[[], None]]:
        """The stored state, and a function that sets the random generators as they were. Weights are set at once.

        Raises ConfigError, with every difference, where it was made with another config or corpus.
        """
        folder = self.newest
        if folder is None:
            raise ConfigError("there is no checkpoint", where=str(self.folder), next_step="train without --resume")
        self._check(folder)
        restore_weights(nlp, optimizer, folder / _WEIGHTS)
        stored = srsly.msgpack_loads((folder / _STATE).read_bytes())
        return stored["state"], lambda: _set_generators(stored["generators"])

    def _check(self, folder: Path) -> None:
        old = dict(_flat(json.loads((folder / _MADE_WITH).read_text("utf-8"))))
        new = dict(_flat(json.loads(json.dumps(self.made_with))))
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key) and key not in _MAY_CHANGE)
        if changed:
            told = "; ".join(f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in changed[:6])
            raise ConfigError(
                f"the checkpoint was made with other settings or data: {told}",
                where=str(folder),
                next_step="put them back, or train without --resume, which starts anew",
            )


_MAY_CHANGE = frozenset({"config.training.max_steps", "config.training.max_epochs", "config.training.patience"})
"""Settings that say only when a training ends."""


def replace_folder(folder: Path, write: Callable[[Path], Any]) -> None:
    """Make a folder by `write(path)` under another name, flush it to disk, and put it in place in one move.

    Raises MmpipeError where the disk does not take it; the folder is then as it was.
    """
    fresh, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    put_back(folder)
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    try:
        with disk_faults_told(folder):
            fresh.mkdir(parents=True)
            write(fresh)
            for path in [*fresh.rglob("*"), fresh, folder.parent]:
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
    except MmpipeError:
        shutil.rmtree(fresh, ignore_errors=True)  # On a full disk, its room is needed.
        raise
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Undo a replacement that was interrupted between its two moves."""
    old = folder.with_name(f"{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)


@contextmanager
def disk_faults_told(path: Path) -> Iterator[None]:
    """Errors of writing to the disk as MmpipeErrors that name what was to be written."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise MmpipeError(
            f"cannot be written: {error}",
            where=str(path),
            next_step="make room, or mend what it says; --resume then goes on from the last checkpoint",
        ) from error


def _generators() -> dict[str, Any]:
    """The states of all random generators that training draws from."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "random": list(random.getstate()),
        "numpy": [name, keys, position, has_gauss, gauss],
        "torch": torch.get_rng_state().numpy(),
        "cuda": [state.numpy() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
    }


def _set_generators(states: Tree) -> None:
    version, internal, gauss = states["random"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, np.array(keys), position, has_gauss, cached))
    torch.set_rng_state(torch.from_numpy(np.array(states["torch"])))
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(np.array(state)) for state in states["cuda"]])


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        return [(prefix, tree)]
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))]
