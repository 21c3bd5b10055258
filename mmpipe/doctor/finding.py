"""One thing that was looked at, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """check: what was looked at (packages, metadata, imports, devices, plugins, models, caches, extras).

    name: of the package, plugin, model, folder or extra. level: "error" where something that mmpipe needs cannot work.
    what: how it stands, in a sentence. mend: the command that mends it; "" where nothing needs to be.
    """

    check: str
    name: str
    level: Level
    what: str
    mend: str = ""
