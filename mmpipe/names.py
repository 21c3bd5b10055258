"""Names: the nearest right one to a wrong one, the code that a name in a spec stands for, and addresses."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterable
from typing import Any

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|\\\\|//|file:")
_SIMILAR = 0.6


def is_address(name: str) -> bool:
    """Whether a name is a URL or a share of another machine (two slashes, then its host), which is no place here."""
    return bool(_ADDRESS.match(name))


def nearest_name(wrong: str, known: Iterable[str], *, least: float = _SIMILAR) -> str | None:
    """The known name that is most similar to a wrong one; None where none is. least: how similar, 0 to 1."""
    lowered = {name.lower(): name for name in sorted(set(known))}
    match = difflib.get_close_matches(str(wrong).lower(), list(lowered), n=1, cutoff=least)
    return lowered[match[0]] if match else None


def nearest(wrong: str, known: Iterable[str], *, listing: str = "allowed") -> str:
    """A hint for a wrong name: the most similar known one, else the list of what is known."""
    known = sorted(set(known))
    found = nearest_name(wrong, known)
    if found is not None:
        return f"did you mean {found!r}?"
    return _listed(known, listing)


def nearest_path(wrong: str, known: Iterable[str], *, listing: str) -> str:
    """The same for paths: one with the same ending is no more similar for that."""
    known = sorted(set(known))
    matcher = difflib.SequenceMatcher(None, b=_stem(wrong))
    similar = []
    for path in known:
        matcher.set_seq1(_stem(path))
        if matcher.ratio() >= _SIMILAR:
            similar.append(path)
    return nearest(wrong, similar, listing=listing) if similar else _listed(known, listing)


def _stem(path: str) -> str:
    """The last part of a path, in lower case, without its endings: that of `data/reviews.jsonl.gz` is `reviews`."""
    name = re.split(r"[/\\]", str(path).lower())[-1]
    return name[:1] + name[1:].partition(".")[0]


def _listed(known: list[str], listing: str) -> str:
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{listing}: {shown or 'none'}"


def resolve(target: str) -> Any:
    """Import what `"package.module"` or `"package.module:object"` names."""
    module, _, name = target.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found
