"""Names: the nearest right one to a wrong one, the code that a name in a spec stands for, and addresses."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable
from typing import Any

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|\\\\|//|file:")


def is_address(name: str) -> bool:
    """Whether a name is a URL or a share of another machine (two slashes, then its host), which is no place here."""
    return bool(_ADDRESS.match(name))


def nearest(wrong: str, known: Iterable[str], *, listing: str = "allowed") -> str:
    """A hint for a wrong name: the most similar known one, else the list of what is known."""
    known = sorted(set(known))
    lowered = {name.lower(): name for name in known}
    match = difflib.get_close_matches(str(wrong).lower(), list(lowered), n=1, cutoff=0.6)
    if match:
        return f"did you mean {lowered[match[0]]!r}?"
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{listing}: {shown or 'none'}"


def resolve(target: str) -> Any:
    """Import what `"package.module"` or `"package.module:object"` names."""
    module, _, name = target.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found
