"""The weights and moments of a whole pipeline in training, in and out of a folder; no pickles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import srsly
import torch
from safetensors.torch import load_file, save_file
from spacy.language import Language
from thinc.api import Model, Optimizer
from thinc.util import to_numpy

from mmpipe.models.transformer import has_shim, shim_of

_SLOTS = ("mom1", "mom2", "averages", "nr_update", "last_seen")
"""What a thinc Optimizer keeps by key."""
_OPTIMIZER = "optimizer.msgpack"


def store_weights(nlp: Language, optimizer: Optimizer, folder: Path) -> None:
    """Write everything that learns in a pipeline, and what its optimizer knows of it, into a folder."""
    for name, model in _models(nlp):
        if not has_shim(model):
            (folder / f"{name}.msgpack").write_bytes(model.to_bytes())
        elif (trainer := shim_of(model).trainer) is not None:
            save_file(trainer.state(), folder / f"{name}.safetensors")
    slots = {slot: getattr(optimizer, slot) or {} for slot in _SLOTS}
    names = dict(_keys(nlp))
    kept = {slot: {names[key]: _plain(found[key]) for key in found if key in names} for slot, found in slots.items()}
    (folder / _OPTIMIZER).write_bytes(srsly.msgpack_dumps(kept))


def restore_weights(nlp: Language, optimizer: Optimizer, folder: Path) -> None:
    """Bring back what `store_weights` stored, into a pipeline and an optimizer made by the same config."""
    for name, model in _models(nlp):
        if not has_shim(model):
            model.from_bytes((folder / f"{name}.msgpack").read_bytes())
        elif (file := folder / f"{name}.safetensors").exists():
            shim_of(model).start_training().load_state(load_file(file), optimizer)
    keys = {name: key for key, name in _keys(nlp)}
    for slot, found in srsly.msgpack_loads((folder / _OPTIMIZER).read_bytes()).items():
        target = getattr(optimizer, slot)
        if target is not None:
            # What msgpack gives cannot be written to.
            target.update({keys[n]: np.array(v) if isinstance(v, np.ndarray) else v for n, v in found.items()})


def _models(nlp: Language) -> Iterator[tuple[str, Model]]:
    for name, pipe in nlp.components:
        model = getattr(pipe, "model", None)
        if isinstance(model, Model):
            yield name, model


def _keys(nlp: Language) -> Iterator[tuple[tuple[int, str], str]]:
    """Each key that an optimizer knows a parameter by, and a name that is the same in every process.

    thinc numbers models as they are made, so its numbers are not.
    """
    for name, model in _models(nlp):
        for place, node in enumerate(model.walk()):
            for parameter in node.param_names:
                yield (node.id, parameter), f"{name}/{place}/{parameter}"
            for rank, shim in enumerate(node.shims):
                module = getattr(shim, "_model", None)
                if isinstance(module, torch.nn.Module):
                    for parameter, _ in module.named_parameters():
                        yield (shim.id, parameter), f"{name}/{place}/shim{rank}/{parameter}"


def _plain(value: Any) -> Any:
    return to_numpy(value) if hasattr(value, "shape") else value
