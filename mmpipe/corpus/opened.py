"""A run that is there, found by what the user calls it."""

from __future__ import annotations

from pathlib import Path

from mmpipe.corpus.layout import Layout
from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.plan import Command
from mmpipe.errors import MmpipeError

KEEPS_ONE = "a run with -o FOLDER keeps one"


def opened(output: Path, *, of_file: str = KEEPS_ONE) -> Manifest:
    """The manifest of a run's folder, or of a file that a run is making. Raises MmpipeError where there is none.

    of_file: the next step for a file that is whole, and has no manifest any more.
    """
    for folder in (output, output.with_name(f".{output.name}.run")):
        manifest = Manifest.read(Layout(folder))
        if manifest is not None:
            return manifest
    if output.is_file():
        raise MmpipeError(
            "a run into one file keeps its manifest only until the file is whole", where=str(output), next_step=of_file
        )
    said = "holds no run" if output.exists() else "no such file or folder"
    raise MmpipeError(said, where=str(output), next_step="name the folder that `mmpipe run -o` wrote to")


def command_of(manifest: Manifest) -> Command:
    """What the user asked for."""
    return Command(**{**manifest.command, "inputs": tuple(manifest.command["inputs"])})
