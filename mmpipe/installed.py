"""Entry points of installed distributions, found without parsing the metadata of all that is installed.

`importlib.metadata.entry_points` parses the entry points of every distribution and, asked for names and versions, their
whole descriptions; that, and its own import, takes longer than all else that `mmpipe --help` does. Here the files of
the distributions that mention the group are read, and no others. What is installed in ways of its own (archives on
`sys.path`, finders of other packages) is left to importlib.metadata.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

_HEADER = re.compile(r"^(Name|Version):[ \t]*(\S.*?)\s*$", re.MULTILINE)
_SECTION = re.compile(r"^\[(.+)\]$")


def canonicalize_name(name: str) -> str:
    """A distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class InstalledEntryPoint(NamedTuple):
    """An entry point and the distribution it belongs to.

    value: `"package.module"` or `"package.module:object"`. distribution, version: "" where its metadata are damaged.
    factories: the names of its entry points in the group `spacy_factories`.
    """

    name: str
    value: str
    distribution: str
    version: str
    factories: tuple[str, ...] = ()

    def load(self) -> Any:
        """Import what it names."""
        module, _, attributes = self.value.partition("[")[0].strip().partition(":")
        return reduce(getattr, filter(None, attributes.split(".")), importlib.import_module(module))


def installed_entry_points(group: str) -> list[InstalledEntryPoint]:
    """All entry points of a group; of two distributions of one name the first on `sys.path` counts."""
    if not _is_plain():
        return _by_importlib(group)
    found = []
    for _, info in _metadata_folders():
        try:
            text = (info / "entry_points.txt").read_text("utf-8", "replace")
        except OSError:
            continue
        if f"[{group}]" in text:
            points, told = _parsed(text), _described(info)
            factories = tuple(points.get("spacy_factories", ()))
            found += [InstalledEntryPoint(*point, *told, factories) for point in points.get(group, {}).items()]
    return found


def installed_version(distribution: str) -> str:
    """The version of a distribution, by its normal name. Raises PackageNotFoundError where it is not installed."""
    for name, info in _metadata_folders() if _is_plain() else ():
        if name == distribution and (version := _described(info)[1]):
            return version
    from importlib.metadata import version as version_of

    return version_of(distribution)


def _described(info: Path) -> tuple[str, str]:
    """Name and version by the metadata of an installed distribution; "" for what they do not tell."""
    for file in ("METADATA", "PKG-INFO"):
        try:
            headers, _, _ = (info / file).read_text("utf-8", "replace").partition("\n\n")
        except OSError:
            continue
        found = dict(reversed(_HEADER.findall(headers)))
        return found.get("Name", ""), found.get("Version", "")
    return "", ""


def _is_plain() -> bool:
    """Whether everything is installed as folders on `sys.path`."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return all(finder is PathFinder for finder in finders) and not any(map(os.path.isfile, sys.path))


def _metadata_folders() -> Iterator[tuple[str, Path]]:
    """The normal name and the metadata folder of each distribution, the first on `sys.path` of each name."""
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        try:
            entries = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            if not entry.endswith((".dist-info", ".egg-info")):
                continue
            name = canonicalize_name(entry.rpartition(".")[0].partition("-")[0])
            if name not in seen:
                seen.add(name)
                yield name, Path(folder or ".", entry)


def _parsed(text: str) -> dict[str, dict[str, str]]:
    """Group -> name -> value. A line that is neither a group's head nor an entry point is passed over."""
    points: dict[str, dict[str, str]] = {}
    group: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if head := _SECTION.match(line):
            group = points.setdefault(head[1], {})
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            group[name.strip()] = value.strip()
    return points


def _by_importlib(group: str) -> list[InstalledEntryPoint]:
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=group):
        dist = point.dist
        factories = tuple(p.name for p in dist.entry_points if p.group == "spacy_factories") if dist else ()
        # A damaged METADATA gives None for both.
        told = (str(dist.name or ""), str(dist.version or "")) if dist else ("", "")
        found.append(InstalledEntryPoint(point.name, point.value, *told, factories))
    return found
