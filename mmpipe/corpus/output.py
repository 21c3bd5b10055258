"""Whether an output may be written where the user wants it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmpipe.corpus.source import Input
from mmpipe.errors import MmpipeError


def check_file(output: Path, *, is_forced: bool, force: str = "--force") -> None:
    """Raises MmpipeError where `output` is no file that may be written, or is there and not to be replaced.

    force: the option that replaces it.
    """
    check_folder(output.parent, output)
    if output.is_dir():
        raise MmpipeError("is a folder", where=str(output), next_step=f"name a file: {output / 'results.jsonl'}")
    if output.exists() and not is_forced:
        raise MmpipeError(
            "exists already", where=str(output), next_step=f"name another -o, or use {force} to replace it"
        )


def check_folder(folder: Path, output: Path | None = None) -> None:
    """Raises MmpipeError where `folder` is none that may be written to, or made. output: what the user named."""
    absolute = folder.absolute()
    above = next((one for one in (absolute, *absolute.parents) if one.exists()), absolute)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise MmpipeError(
            f"cannot be written: {above} is no folder that may be written to",
            where=str(output or folder),
            next_step="name another -o",
        )


def check_inputs_spared(outputs: Iterable[Path], inputs: Sequence[Input]) -> None:
    """Raises MmpipeError where writing would destroy an input."""
    for written in outputs:
        for given in inputs:
            if given.source.path is not None and written.exists() and written.samefile(given.source.path):
                raise MmpipeError(
                    "is an input and would be overwritten", where=str(written), next_step="name another -o"
                )
