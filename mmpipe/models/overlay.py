"""A shipped model as an overlay: tensors that replace or extend those of a packaged backbone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmpipe.errors import ModelError
from mmpipe.models.files import BACKBONES, Files, backbone_folder, sha256
from mmpipe.models.heads import to_this_task

OVERLAY, SUMS = "overlay.safetensors", "overlay.json"


def load_overlay(factory: Any, config: Any, files: Files) -> tuple[nn.Module, list[str]]:
    """The model of `config` with the backbone's tensors and the overlay's over them, and the names left without one.

    Raises ModelError where the overlay has tensors that the model does not (a head aside, if the model is bare).
    """
    module = factory.from_config(config).float()
    expected, prefix = module.state_dict(), f"{module.base_model_prefix}."
    is_bare = module.base_model is module

    def fit(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Under the names of this model: a backbone saved bare serves a whole model, and the other way round."""
        names = {n: next((m for m in (n, prefix + n, n.removeprefix(prefix)) if m in expected), None) for n in tensors}
        return {own: tensors[name].float() for name, own in names.items() if own}

    merged = fit(load_file(files.base / "model.safetensors")) if files.base else {}
    file = files.folder / OVERLAY
    if file.exists():
        tensors = load_file(file)
        fitting = fit(tensors)
        if len(fitting) < len(tensors) and not (is_bare and fitting):
            wanted = type(module).__name__
            strange = [name for name in tensors if not fit({name: tensors[name]})]
            is_head = not any(name.startswith(prefix) for name in strange)
            if is_head and wanted not in (config.architectures or [wanted]):
                raise ModelError(
                    f"model {files.name!r} has no weights for a {wanted}",
                    where=str(files.folder),
                    next_step=to_this_task(config),
                )
            raise ModelError(
                f"the overlay of {files.name!r} is for another model: {len(fitting)} of {len(tensors)} tensors fit",
                where=str(file),
                next_step=f"check that config.json beside it ({config.architectures}) is the one it was made with",
            )
        merged |= fitting
    # A head for more or fewer labels is none.
    merged = {name: tensor for name, tensor in merged.items() if tensor.shape == expected[name].shape}
    missing, _ = module.load_state_dict(merged, strict=False)
    return module, missing


def write_overlay(checkpoint: Path, base: str, folder: Path) -> list[str]:
    """Write into `folder` what a fine-tuned checkpoint has beyond its packaged backbone; the tensors' names.

    checkpoint: a Hugging Face folder, such as `mmpipe train` saves. base: one of BACKBONES. Tensors that are the
    backbone's, in the precision that they were saved in, are left out. Other files in `folder` (a card) stay.
    Raises ModelError where a file is missing, or the checkpoint has nothing in common with the backbone.
    """
    found = backbone_folder(base)
    for name in ("config.json", "model.safetensors"):
        if not (checkpoint / name).is_file():
            raise ModelError(
                f"holds no {name}",
                where=str(checkpoint),
                next_step="name the folder of a trained model: DIR/model-best/COMPONENT/model",
            )
    backbone, tensors = load_file(found / "model.safetensors"), load_file(checkpoint / "model.safetensors")
    own = {name: tensor.contiguous() for name, tensor in tensors.items() if not _is_in(backbone, name, tensor)}
    if len(own) == len(tensors):
        raise ModelError(
            f"none of its tensors is one of {base}: an overlay would be the whole model",
            where=str(checkpoint),
            next_step="ship the folder as it is, or freeze what stays: frozen = ['*.embeddings.*']",
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(checkpoint / "config.json", folder / "config.json")
    save_file(own, folder / OVERLAY, metadata={"format": "pt"})
    (folder / OVERLAY).chmod(0o644)  # safetensors lets nobody else read it, and so would a wheel.
    sums = {"base": base, "base_sha256": BACKBONES[base][1], "overlay_sha256": sha256(folder / OVERLAY)}
    (folder / SUMS).write_text(json.dumps(sums, indent=2) + "\n", "utf-8")
    return list(own)


def _is_in(backbone: dict[str, Tensor], name: str, tensor: Tensor) -> bool:
    """Whether it is the backbone's tensor of that name, with or without the prefix of a whole model."""
    theirs = backbone.get(name, backbone.get(name.partition(".")[2]))
    return theirs is not None and theirs.shape == tensor.shape and torch.equal(theirs.to(tensor.dtype), tensor)
