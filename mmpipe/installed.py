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
    found, head = [], f"[{group}]".encode()
    for _, info in _metadata_folders():
        content = _content(f"{info}/entry_points.txt")
        if content is not None and head in content:
            points, told = _parsed(content.decode("utf-8", "replace")), _described(info)
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


def _described(info: str) -> tuple[str, str]:
    """Name and version by the metadata of an installed distribution; "" for what they do not tell."""
    for file in ("METADATA", "PKG-INFO"):
        content = _content(f"{info}/{file}")
        if content is not None:
            lines = content.decode("utf-8", "replace").replace("\r\n", "\n")
            headers, _, _ = lines.partition("\n\n")
            found = dict(reversed(_HEADER.findall(headers)))
            return found.get("Name", ""), found.get("Version", "")
    return "", ""


def _content(file: str) -> bytes | None:
    """What a file holds; None where it cannot be read. A Path and a text stream for each would take twice as long."""
    try:
        with open(file, "rb", buffering=0) as stream:
            return stream.read()
    except OSError:
        return None


def _is_plain() -> bool:
    """Whether everything is installed as folders on `sys.path`."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return all(finder is PathFinder for finder in finders) and not any(map(os.path.isfile, sys.path))


def _metadata_folders() -> Iterator[tuple[str, str]]:
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
                yield name, os.path.join(folder or ".", entry)


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
