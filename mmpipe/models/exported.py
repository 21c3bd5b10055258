"""Checkpoints in the form that another library runs: made once, and kept on disk under the hash of their weights."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from mmpipe.errors import ModelError
from mmpipe.models.checkpoint import Checkpoint


def require(backend: str, *modules: str) -> None:
    """Raises ModelError where a library is missing that the backend needs."""
    for name in (*modules, "platformdirs"):
        try:
            import_module(name)
        except ImportError as error:
            raise ModelError(
                f"backend {backend} needs {error.name or name}", next_step=f"pip install 'mmpipe[{backend}]'"
            ) from None


def cannot(backend: str, checkpoint: Checkpoint, why: str) -> ModelError:
    """The error that a backend cannot run a checkpoint."""
    return ModelError(
        f"backend {backend} cannot run model {checkpoint.reference.name!r}: {why}",
        where=str(checkpoint.files.folder),
        next_step=f'set backend = "torch", or "{backend} or torch" to fall back to it',
    )


def cache_folder() -> Path:
    """Where exported models are kept: `MMPIPE_CACHE`, or the user's cache folder. All in it can be made again."""
    own = os.environ.get("MMPIPE_CACHE")
    if own is None:
        import platformdirs

        own = platformdirs.user_cache_dir("mmpipe")
    return Path(own)


def exported(
    backend: str, checkpoint: Checkpoint, ending: str, make: Callable[[Path], Path], libraries: tuple[str, ...]
) -> Path:
    """The file or folder that `make` gives, made now if it has not been with these versions.

    ending: of its name. make: is given an empty folder, where what it leaves is thrown away.
    libraries: whose versions decide what it is, beside torch and transformers.
    Raises ModelError for a checkpoint that the backend cannot run.
    """
    place = cache_folder() / backend / f"{_key(checkpoint, libraries)}{ending}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            try:
                made = make(Path(folder))
            except ModelError:
                raise
            except Exception as error:  # Exporters and optimisers raise what they like.
                said = " ".join(str(error).split())[:300] or type(error).__name__
                raise cannot(backend, checkpoint, said) from error
            try:
                os.replace(made, place)
            except OSError:
                if not place.exists():  # Another process was sooner.
                    raise
    return place


def _key(checkpoint: Checkpoint, libraries: tuple[str, ...]) -> str:
    """A hash of all that decides what an export gives."""
    settings = checkpoint.config.to_json_string(use_diff=False)
    versions = [f"{name} {version(name)}" for name in ("torch", "transformers", *libraries)]
    parts = (checkpoint.files.fingerprint, checkpoint.auto_class, settings, *versions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
