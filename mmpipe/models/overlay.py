"""A shipped model as an overlay: tensors that replace or extend those of a packaged backbone."""

from __future__ import annotations

from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from mmpipe.errors import ModelError
from mmpipe.models.reference import Files


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
    file = files.folder / "overlay.safetensors"
    if file.exists():
        tensors = load_file(file)
        fitting = fit(tensors)
        if len(fitting) < len(tensors) and not (is_bare and fitting):
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
