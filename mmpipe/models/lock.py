"""The lock file: which models a pipeline may use, down to the SHA-256 of every file that is read of them.

    {"schema": "mmpipe.lock.v1",
     "models": {"mmpipe/qa-small": {"kind": "shipped", "source": "mmpipe-qa 0.1.0", "licence": "...", "revision": null,
                                    "base": "sentence-transformers/all-MiniLM-L6-v2", "weights_sha256": "...",
                                    "files": {"config.json": {"bytes": 612, "sha256": "..."}, ...}}, ...}}

Keys are sorted. A model is named as a config names it; a folder by its path from the lock file's folder, where it lies
below that, else by its whole path. kind: "shipped" by a plugin, "packaged" (a backbone from a Python package), "hub"
(Hugging Face) or "folder". revision: the full commit hash of a hub model. base: the packaged backbone under an overlay,
which has an entry of its own. weights_sha256: as results and manifests state it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmpipe.errors import ModelError
from mmpipe.models.files import BACKBONES, Files, sha256
from mmpipe.models.licence import licence_of, source_of
from mmpipe.models.reference import FILES, Reference

SCHEMA, LOCKED = "mmpipe.lock.v1", "MMPIPE_LOCKED"


def lock_of(references: Iterable[Reference], folder: Path) -> dict[str, Any]:
    """The content of a lock file in `folder` for these models and the backbones under them."""
    models: dict[str, Any] = {}
    for reference in references:
        files = reference.locate()
        models[_key(files, folder)] = _entry(files)
        if files.base is not None:
            base = Reference(dict(files.overlay)["base"]).locate()
            models[base.name] = _entry(base)
    return {"schema": SCHEMA, "models": dict(sorted(models.items()))}


def check_locked(reference: Reference, files: Files, lock: Path) -> None:
    """Raises ModelError where a model is not in the lock, or not as it is there; says what differs."""
    models = _read(lock)
    key = _key(files, lock.absolute().parent)
    mend = f"`mmpipe models fetch ... --lock {lock}` writes the lock anew, if you trust what is there now"
    if key not in models:
        known = ", ".join(models) or "none"
        raise ModelError(f"model {key!r} is not in the lock, which has {known}", where=str(lock), next_step=mend)
    wanted, found = models[key], _entry(files)
    if wanted.get("revision") != found["revision"]:
        raise ModelError(
            f"model {key!r} is locked to revision {wanted.get('revision')}, and revision "
            f"{reference.revision or 'main'!r} is {found['revision']} here",
            where=str(lock),
            next_step=f'set revision = "{wanted.get("revision")}" in the config, or {mend}',
        )
    changed = _differences(wanted.get("files", {}), found["files"])
    if wanted.get("base") != found["base"]:
        changed.append(f"base was {wanted.get('base')}, is {found['base']}")
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise ModelError(
            f"model {key!r} is not the one in the lock: {'; '.join(changed[:3])}{more}", where=str(lock), next_step=mend
        )
    if files.base is not None:
        base = Files.of(files.base, name=dict(files.overlay)["base"])
        check_locked(Reference(base.name), base, lock)


def _entry(files: Files) -> dict[str, Any]:
    paths = {path for pattern in FILES for path in files.folder.glob(pattern) if path.is_file()}
    listed = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in sorted(paths)}
    return {
        "kind": _kind(files),
        "source": source_of(files),
        "licence": licence_of(files),
        "revision": files.commit,
        "base": dict(files.overlay).get("base"),
        "weights_sha256": files.fingerprint,
        "files": listed,
    }


def _kind(files: Files) -> str:
    if files.name.startswith("mmpipe/"):
        return "shipped"
    if files.commit is not None:
        return "hub"
    return "packaged" if files.name in BACKBONES else "folder"


def _key(files: Files, lock_folder: Path) -> str:
    if _kind(files) != "folder":
        return files.name
    path, root = files.folder.resolve(), lock_folder.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    told = []
    for name in sorted({*wanted, *found}):
        if name not in found:
            told.append(f"{name} is missing")
        elif name not in wanted:
            told.append(f"{name} is new")
        elif wanted[name] != found[name]:
            told.append(f"{name} has SHA-256 {found[name]['sha256']}, not {wanted[name].get('sha256')}")
    return told


def _read(lock: Path) -> dict[str, Any]:
    try:
        tree = json.loads(lock.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"the lock cannot be read: {' '.join(str(error).split())[:200]}",
            where=str(lock),
            next_step="write one with `mmpipe models fetch PIPELINE --lock FILE`",
        ) from None
    models = tree.get("models") if isinstance(tree, dict) and tree.get("schema") == SCHEMA else None
    well = isinstance(models, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("files"), dict)
        and all(isinstance(file, dict) for file in entry["files"].values())
        for entry in models.values()
    )
    if not well:
        raise ModelError(
            f"is no lock of {SCHEMA}", where=str(lock), next_step="write one with `mmpipe models fetch ... --lock`"
        )
    return models


def lock_in_force() -> Path | None:
    """The lock file of this process: MMPIPE_LOCKED, which `mmpipe run --locked` sets for its workers, too."""
    named = os.environ.get(LOCKED)
    return Path(named) if named else None
