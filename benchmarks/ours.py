"""Our side of a benchmark: pipelines of one component, and the shipped models as plain Hugging Face folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Left alone, `pipeline()` would put all tokenizers of the process on one thread, ours among them.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true")

import mmpipe
import mmpipe.models.grid_encoder
from mmpipe.runtime.device import place

BATCH_SIZES = (1, 8, 32)
"""Those that `pipeline()` is timed at."""

_placed = {"device": "cpu"}


def use(device: str) -> None:
    """Have all ways that are made from now on run on a torch device. Raises ModelError where there is none such."""
    place(device)
    _placed["device"] = device


def device() -> str:
    """Where all ways run."""
    return _placed["device"]


def loaded(factory: str, folder: str | None = None, **options: Any) -> Any:
    """A pipeline of one component of ours, on the shipped model or that of a folder."""
    model = {"device": device(), **({"name": folder} if folder else {}), **options.pop("model", {})}
    own = {"factory": factory, "model": model, **options}
    names = ["sentencizer", "ours"] if factory == "mmpipe_summariser" else ["ours"]
    parts = {"sentencizer": {"factory": "sentencizer"}} if len(names) > 1 else {}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": names}, "components": {**parts, "ours": own}})


def saved(factory: str, folder: Path) -> str:
    """The shipped model of a component as a plain Hugging Face folder."""
    nlp = loaded(factory)
    nlp.get_pipe("ours").to_disk(folder)
    return str(folder / "model")


def settings() -> dict[str, dict[str, Any]]:
    """The ways of running a model that reads, each with its settings; bf16 where `auto` chooses that."""
    floats = dict.fromkeys(("fp32", place(device()).precision))
    found = {precision: {"precision": precision} for precision in floats}
    if device() == "cpu":
        found |= {f"OpenVINO, {name}": {"backend": "openvino", "precision": name} for name in (*floats, "int8")}
        found |= {f"ONNX Runtime, {name}": {"backend": "onnx", "precision": name} for name in ("fp32", "int8")}
    return found
