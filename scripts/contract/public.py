"""What is public: the tables of docs/plugin-api.md, which are the list and not a copy of one."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import griffe

from contract.tree import ROOT, find

PAGE = ROOT / "docs" / "plugin-api.md"
_ALL = "its `__all__`"


@dataclass(frozen=True)
class Row:
    """A public module, and its public names. imports_torch: whether the page says that importing it does."""

    module: str
    names: tuple[str, ...]
    imports_torch: bool


def _rows(section: str) -> list[list[str]]:
    """The cells of the tables below a heading, without their head lines."""
    text = PAGE.read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `mmpipe")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@functools.lru_cache(maxsize=1)
def public() -> tuple[Row, ...]:
    """Raises ValueError for a row whose module or name is not there."""
    found = []
    for cells in _rows("What is public"):
        path = cells[0].strip("`")
        module = find(path)
        if not isinstance(module, griffe.Module):
            raise ValueError(f"{PAGE.name}: there is no module {path}: remove its row")
        names = tuple(module.exports or ()) if cells[1] == _ALL else tuple(re.findall(r"`(\w+)`", cells[1]))
        missing = [name for name in names if find(f"{path}.{name}") is None]
        if missing or not names:
            raise ValueError(f"{PAGE.name}: {path} has no {', '.join(missing) or 'names'}: mend its row")
        found.append(Row(path, tuple(str(name) for name in names), cells[3:] == ["torch"]))
    return tuple(found)


def names_of(module: str) -> tuple[str, ...] | None:
    """The public names of a module; None where it is private."""
    return next((row.names for row in public() if row.module == module), None)


def exceptions() -> dict[tuple[str, str], str]:
    """(importing module, private module) -> the reason, of the plugins that are developed together with mmpipe."""
    return {(cells[0].strip("`"), cells[1].strip("`")): cells[2] for cells in _rows("Exceptions")}
