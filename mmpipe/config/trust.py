"""How far a config is trusted: its author is the user, or a stranger.

What no config may do, whoever wrote it, stands in `functions`. A stranger's may, besides, name no file outside the
roots, turn on no network, and copy no components from other pipelines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpipe.errors import Fault
from mmpipe.names import is_address

UNTRUSTED, ROOTS = "MMPIPE_UNTRUSTED", "MMPIPE_ROOTS"
PATH_KEYS = frozenset({"name", "path", "paths", "source", "folder", "file", "roots", "vectors", "init_tok2vec"})
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MEND = f"put the file into the config's folder, name its folder in {ROOTS}, or load the config as your own"


@dataclass(frozen=True)
class Trust:
    """Whether a config is a stranger's, and below which folders it may then name files (symbolic links resolved)."""

    is_stranger: bool = False
    roots: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls, untrusted: bool | None, beside: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str]
    ) -> Trust:
        """The trust of one load.

        untrusted: True for a stranger's config; None asks MMPIPE_UNTRUSTED. beside: the folder of the config, always
        a root, as are the working folder, those in MMPIPE_ROOTS, the cache of Hugging Face, and what an override of
        the user's names.
        """
        is_stranger = environ.get(UNTRUSTED, "") not in ("", "0") if untrusted is None else untrusted
        if not is_stranger:
            return cls()
        own = [value for value in overrides.values() if isinstance(value, str) and _exists(Path(value))]
        named = [*environ.get(ROOTS, "").split(os.pathsep), *own, *_hub_caches(environ)]
        folders = [Path.cwd(), *([beside] if beside is not None else []), *(Path(name) for name in named if name)]
        return cls(True, tuple(dict.fromkeys(folder.expanduser().resolve() for folder in folders)))

    def allows(self, path: Path) -> bool:
        """Whether a file or folder lies below a root, and so does everything in it."""
        if not self.is_stranger:
            return True
        try:
            # What is in a folder is looked at only where the folder may be named: below "/" is a whole disk.
            return self._is_inside(path) and (not path.is_dir() or all(map(self._is_inside, path.rglob("*"))))
        except (OSError, ValueError, RuntimeError):
            return False

    def _is_inside(self, path: Path) -> bool:
        return any(path.resolve().is_relative_to(root) for root in self.roots)

    def faults(self, value: Any, place: str = "", key: str = "") -> Iterator[Fault]:
        """What a stranger's config names and may not: files outside the roots, addresses, and leave to fetch."""
        if not self.is_stranger:
            return
        if isinstance(value, Mapping):
            for name, item in value.items():
                yield from self.faults(item, f"{place}.{name}".lstrip("."), str(name))
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from self.faults(item, f"{place}.{index}", key)
        elif key in ("allow_urls", "fetch") and value:
            yield Fault(
                place, "a stranger's config may not turn on the network", "set it to false, or make it your own"
            )
        elif isinstance(value, str) and self._leads_outside(value, key):
            yield Fault(place, f"{value[:80]!r} lies outside the folders that a stranger's config may name", _MEND)

    def _leads_outside(self, value: str, key: str) -> bool:
        is_named = key in PATH_KEYS or key.endswith(("_path", "_file", "_dir", "_folder"))
        if len(value) > 4096 or (len(value) < 2 and not is_named):
            return False
        if is_address(value):
            return is_named or value.lower().startswith("file:")
        path = Path(value)
        if not is_named and not ({"/", "\\"} & set(value) or value.startswith("~")):
            return False
        try:
            path = path.expanduser()
        except RuntimeError:
            return True
        is_far = is_named and (path.is_absolute() or ".." in path.parts or bool(_DRIVE.match(value)))
        return (is_far or _exists(path)) and not self.allows(path)


def _hub_caches(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HF_HOME") or os.path.join(environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    cache = environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    return [cache] if os.path.isdir(os.path.expanduser(cache)) else []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
