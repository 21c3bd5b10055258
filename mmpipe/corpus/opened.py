"""A run that is there, found by what the user calls it."""

from __future__ import annotations

from pathlib import Path

from mmpipe.corpus.layout import Layout
from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.plan import Command
from mmpipe.errors import MmpipeError


def opened(output: Path) -> Manifest:
    """The manifest of a run's folder, or of a file that a run is making. Raises MmpipeError where there is none."""
    for folder in (output, output.with_name(f".{output.name}.run")):
        manifest = Manifest.read(Layout(folder))
        if manifest is not None:
            return manifest
    said = "is finished" if output.is_file() else "no such file or folder" if not output.exists() else "holds no run"
    raise MmpipeError(said, where=str(output), next_step="name the folder that `mmpipe run -o` wrote to")


def command_of(manifest: Manifest) -> Command:
    """What the user asked for."""
    return Command(**{**manifest.command, "inputs": tuple(manifest.command["inputs"])})
