"""How large a config becomes when its `${...}` references are filled in, counted without doing it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmpipe.errors import ConfigError

MAX_CHARS = 1_000_000
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def check_expansion(tree: Mapping[str, Any], where: str) -> None:
    """Raises ConfigError for a tree whose references stand for more than MAX_CHARS characters; circles count once.

    So it does for a section whose name holds a dot: filling in goes by a text in which that is another section.
    """
    _check_names(tree, where)
    if _Sizes(tree).of(()) > MAX_CHARS:
        raise ConfigError(
            f"its ${{...}} references stand for more than {MAX_CHARS:,} characters",
            where=where,
            next_step="a pipeline needs few; write them out",
        )


def _check_names(section: Mapping[str, Any], where: str) -> None:
    for name, value in section.items():
        if isinstance(value, Mapping):
            if not name or "." in name:
                step = "leave the dot out, or write the section below the other, or write out what ${...} stands for"
                said = f"no section may be called {name[:80]!r} where ${{...}} is used"
                raise ConfigError(said, where=where, next_step=step)
            _check_names(value, where)


class _Sizes:
    """Characters below each place of a tree, references filled in; each place is counted once."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.known: dict[tuple[str, ...], int] = {}

    def of(self, path: tuple[str, ...]) -> int:
        if path not in self.known:
            self.known[path] = 0  # For a circle, of which confection complains.
            value: Any = self.tree
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            self.known[path] = self._measured(value, path)
        return self.known[path]

    def _measured(self, value: Any, path: tuple[str, ...]) -> int:
        if isinstance(value, Mapping):
            return sum(len(key) + self.of((*path, key)) for key in value)
        if isinstance(value, list | tuple):
            return sum(self._measured(item, path) for item in value) + len(value)
        if not isinstance(value, str):
            return len(str(value))
        size = len(value)
        for match in _REFERENCE.finditer(value):
            parts = tuple(match.group(1).replace(":", ".").split("."))
            # A bare name is a key beside this one, else a section.
            beside = (*path[:-1], *parts)
            size += self.of(beside if len(parts) == 1 and self._has(beside) else parts)
        return size

    def _has(self, path: tuple[str, ...]) -> bool:
        value: Any = self.tree
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value is not None
