"""Packages that only measuring needs."""

from __future__ import annotations

import importlib
from typing import Any

from mmpipe.errors import MmpipeError


def need(module: str, what: str, extra: str = "evaluate") -> Any:
    """Import a module of an optional package. Raises MmpipeError with the command that installs it.

    what: what it is needed for, such as "ROUGE". extra: the extra of mmpipe that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MmpipeError(
            f"{what} needs a package that is not here: {error}", next_step=f"pip install 'mmpipe[{extra}]'"
        ) from None
