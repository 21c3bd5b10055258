"""Folders that are written to: the caches of Hugging Face and of mmpipe, and the one for temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmpipe.doctor.finding import Finding

LEAST_BYTES = 2 * 2**30
"""Below this, a download of a usual model does not fit."""


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a folder: whether it can be written to, and what is free."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        what = "HOME is not set: caches go where the user's entry in the system says, or nowhere"
        yield Finding("caches", "HOME", "warning", what, "export HOME=/path/to/a/folder")
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(home or _home(), ".cache")
    hub = environ.get("HF_HUB_CACHE") or os.path.join(environ.get("HF_HOME") or f"{cache}/huggingface", "hub")
    yield _of("Hugging Face", Path(hub), "HF_HOME", "error" if _holds_models(Path(hub)) else "warning")
    own = environ.get("MMPIPE_CACHE") or os.path.join(cache, "mmpipe")
    yield _of("mmpipe", Path(own), "MMPIPE_CACHE", "warning")
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        yield Finding("caches", "temporary", "error", str(error), "export TMPDIR=/path/to/a/folder")
    else:
        yield _of("temporary", temporary, "TMPDIR", "error")


def _of(name: str, folder: Path, variable: str, level: str) -> Finding:
    mend = f"export {variable}=/path/to/a/folder/you/may/write   or: mkdir -p {folder} && chmod u+rwX {folder}"
    try:
        there = folder
        while not there.exists() and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise NotADirectoryError(f"{there} is no folder")
        if there == folder:
            os.listdir(folder)
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    except OSError as error:
        said = error.strerror or str(error)
        return Finding("caches", name, level, f"{folder} cannot be used: {said}", mend)  # type: ignore[arg-type]
    what = f"{folder} can be {'written to' if there == folder else 'made'}; {free / 2**30:.1f} GiB are free"
    if free < LEAST_BYTES:
        return Finding("caches", name, "warning", what, f"export {variable}=/path/on/a/larger/disk")
    return Finding("caches", name, "ok", what)


def _holds_models(hub: Path) -> bool:
    """Whether something has been fetched, so that pipelines may rely on it."""
    try:
        return hub.exists()
    except OSError:
        return True


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:
        return os.sep
