"""Who wrote a plugin."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from mmpipe.errors import MmpipeError

_AUTHOR = re.compile(r"(?P<name>[^<>]+?)\s*(<(?P<email>[^<>\s@]+@[^<>\s@]+\.[^<>\s@]+)>)?")


@dataclass(frozen=True)
class Author:
    """email: None where it is not to be published."""

    name: str
    email: str | None = None


def read_author(text: str) -> Author:
    """The author of `"Ada Lovelace"` or `"Ada Lovelace <ada@example.org>"`. Raises MmpipeError for anything else."""
    found = _AUTHOR.fullmatch(text.strip())
    if found is None or not text.isprintable():
        raise MmpipeError(
            f"{text!r} is no author",
            where="--author",
            next_step="write a name, or a name and an address: 'Ada Lovelace <ada@example.org>'",
        )
    return Author(found["name"], found["email"])


def likely_author(distribution: str) -> str:
    """The name that git knows its user by, without the address; "The authors of ..." where it knows none."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return f"The authors of {distribution}"
    name = " ".join(done.stdout.split())
    return name if name and _AUTHOR.fullmatch(name) else f"The authors of {distribution}"
