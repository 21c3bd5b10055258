"""A new plugin on disk: the templates of its kinds, filled in."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from mmpipe.errors import MmpipeError
from mmpipe.hookspecs import API_VERSION
from mmpipe.scaffold.author import Author
from mmpipe.scaffold.kinds import Kind
from mmpipe.scaffold.licences import LICENCES
from mmpipe.scaffold.naming import Names

TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".jinja"


@dataclass(frozen=True)
class Project:
    """A plugin to be written. licence: a key of LICENCES. kinds: at least one."""

    names: Names
    kinds: tuple[Kind, ...]
    author: Author
    licence: str = "Apache-2.0"

    @property
    def description(self) -> str:
        """One line: "A component for mmpipe", "A plugin for mmpipe: component, reader"."""
        if len(self.kinds) == 1:
            return f"{self.kinds[0].noun.capitalize()} for mmpipe"
        return f"A plugin for mmpipe: {', '.join(kind.name for kind in self.kinds)}"

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders of templates for what it provides: a component beside a model is one around that model."""
        names = [kind.name for kind in self.kinds]
        return tuple("classifier" if name == "component" and "model" in names else name for name in names)

    def values(self) -> dict[str, Any]:
        """What templates may name."""
        return {
            "api_version": API_VERSION,
            "author": self.author,
            "description": self.description,
            "distribution": self.names.distribution,
            "field": self.names.field,
            "has": {*self.parts, *(kind.name for kind in self.kinds)},
            "licence": self.licence,
            "mmpipe_bounds": bounds(version("mmpipe")),
            "names": {kind.name: self.names.provided(kind, self.kinds) for kind in self.kinds},
            "package": self.names.package,
            "parts": self.parts,
            "short": self.names.short,
            "spdx": LICENCES[self.licence],
            "year": datetime.date.today().year,
        }


def write_project(project: Project, folder: Path) -> list[Path]:
    """Write the project into a folder that is not there, or empty, or holds only `.git`; returns its files.

    Raises MmpipeError, and writes nothing, where the folder holds something else or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(file.name != ".git" for file in folder.iterdir())):
        raise MmpipeError(
            "holds files already" if folder.is_dir() else "is a file",
            where=str(folder),
            next_step="name another folder with --output, or empty this one",
        )
    contents = dict(render(project))
    try:
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    except OSError as error:
        raise MmpipeError(
            f"cannot be written: {error.strerror}", where=str(folder), next_step="name another folder with --output"
        ) from None
    return [folder / name for name in contents]


def render(project: Project) -> Iterator[tuple[str, bytes]]:
    """The path of each file in the project, with slashes, and what it holds; in the order of the paths."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The strings of JSON are strings of TOML and of Python.
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    values, found = project.values(), {}
    for part in ("project", *project.parts):
        for file in sorted(path for path in (TEMPLATES / part).rglob("*") if path.is_file()):
            name = _place(file.relative_to(TEMPLATES / part).as_posix(), project.names)
            if file.suffix == _SUFFIX:
                template = environment.get_template(file.relative_to(TEMPLATES).as_posix())
                found[name.removesuffix(_SUFFIX)] = template.render(values).encode("utf-8")
            else:
                found[name] = file.read_bytes()
    found["LICENSE"] = environment.get_template(f"licences/{project.licence}.txt").render(values).encode("utf-8")
    yield from sorted(found.items())


def bounds(installed: str) -> str:
    """The versions of mmpipe that a plugin written for this one may count on: `>=0.1,<0.2`; `>=1.2,<2` from 1.0 on."""
    release = Version(installed)
    above = f"0.{release.minor + 1}" if release.major == 0 else str(release.major + 1)
    return f">={release.major}.{release.minor},<{above}"


def _place(name: str, names: Names) -> str:
    """Where a template's file goes: `dot_` begins a hidden name, PACKAGE and SHORT stand for the plugin's."""
    parts = (f".{part.removeprefix('dot_')}" if part.startswith("dot_") else part for part in name.split("/"))
    return "/".join(parts).replace("PACKAGE", names.package).replace("SHORT", names.short)
