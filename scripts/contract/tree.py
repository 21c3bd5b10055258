"""The source tree as griffe reads it: nothing of mmpipe is imported, so no torch either, and no git is needed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import griffe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distribution:
    """One distribution of the tree: its name, the packages in its source folder, its entry points by group."""

    name: str
    version: str
    source: Path
    packages: tuple[str, ...]
    entry_points: dict[str, dict[str, str]]


@functools.lru_cache(maxsize=1)
def distributions() -> tuple[Distribution, ...]:
    """mmpipe itself, then the plugins, sorted by name."""
    folders = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]
    return tuple(_distribution(folder) for folder in folders)


def _distribution(folder: Path) -> Distribution:
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    source = folder if folder == ROOT else folder / "src"
    packages = ("mmpipe",) if folder == ROOT else tuple(sorted(f.parent.name for f in source.glob("*/__init__.py")))
    return Distribution(project["name"], project["version"], source, packages, project.get("entry-points", {}))


@functools.lru_cache(maxsize=1)
def _loader() -> griffe.GriffeLoader:
    found = distributions()
    loader = griffe.GriffeLoader(search_paths=[dist.source for dist in found], allow_inspection=False)
    for package in (package for dist in found for package in dist.packages):
        loader.load(package)
    loader.resolve_aliases()
    return loader


def find(path: str) -> griffe.Object | None:
    """The object of a dotted path, an alias followed to its end; None where there is none."""
    try:
        found = _loader().modules_collection[path]
        return found.final_target if found.is_alias else found
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None


def entry_points(group: str) -> Iterator[tuple[str, str, Distribution]]:
    """(name, dotted path, distribution) of a group, over all distributions of the tree."""
    for dist in distributions():
        for name, target in dist.entry_points.get(group, {}).items():
            yield name, target.replace(":", "."), dist


def modules(package: str) -> list[str]:
    """Dotted names of a package's modules, itself included, read from its folder."""
    (dist,) = [dist for dist in distributions() if package in dist.packages]
    files = (dist.source / package).rglob("*.py")
    parts = [file.relative_to(dist.source).with_suffix("").parts for file in files]
    return sorted(".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts)
