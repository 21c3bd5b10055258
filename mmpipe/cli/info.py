"""`mmpipe info`"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from mmpipe.cli.options import quiet

PACKAGES = ("mmpipe", "spacy", "spacy-transformers", "thinc", "torch", "transformers", "tokenizers", "pluggy")
BACKENDS = ("openvino", "onnxruntime", "ctranslate2")


def info(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Versions, devices, the precision that `auto` chooses on each, with the reason, and the size of batches."""
    quiet()
    found = describe()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, installed in found["versions"].items():
        print(f"{name:<20}{installed}")
    for device in found["devices"]:
        print(f"{device['device']:<20}auto precision {device['precision']}: {device['reason']}")
        print(f"{'':<20}batches of {device['batch_tokens']:,} tokens")
        print(f"{'':<20}for models that write text {device['generation_precision']}: {device['generation_reason']}")
    print(f"{'threads':<20}{found['threads']}")


def describe() -> dict[str, Any]:
    """What `mmpipe info --json` prints."""
    import torch

    from mmpipe.runtime.batching import budget_tokens
    from mmpipe.runtime.device import available_devices, place

    devices = []
    for name in available_devices():
        reads, writes = place(name), place(name, is_generative=True)
        devices.append(
            {
                "device": name,
                "precision": reads.precision,
                "reason": reads.reason,
                "batch_tokens": budget_tokens(reads.device.type),
                "generation_precision": writes.precision,
                "generation_reason": writes.reason,
            }
        )
    versions = {"python": platform.python_version(), **{name: _version(name) for name in (*PACKAGES, *BACKENDS)}}
    return {"versions": versions, "devices": devices, "threads": torch.get_num_threads()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
