"""The settings of components and architectures: names, kinds, ranges, defaults, descriptions, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import griffe

from contract.descriptions import describe
from contract.tree import Distribution, entry_points, find

_NOT_SETTINGS = ("nlp", "name")


@dataclass(frozen=True)
class Setting:
    """One key of a block. annotation, default: as the source spells them, constants filled in; default "" for none."""

    name: str
    annotation: str
    default: str
    description: str


@dataclass(frozen=True)
class Factory:
    """A component factory of the tree. component: the class that it makes."""

    name: str
    distribution: Distribution
    component: griffe.Class
    assigns: list[str]
    requires: list[str]
    settings: tuple[Setting, ...]


def architectures() -> Iterator[tuple[str, str]]:
    """(registered name, dotted path), sorted."""
    yield from sorted((name, path) for name, path, _ in entry_points("spacy_architectures"))


def settings_of(function: griffe.Function) -> tuple[Setting, ...]:
    """The settings that a registered function takes."""
    told = describe(function, [parameter.name for parameter in function.parameters])
    return tuple(
        Setting(p.name, str(p.annotation), "" if p.default is None else str(p.default), told.get(p.name, ""))
        for p in function.parameters
    )


def factories() -> list[Factory]:
    """The factories of the group `spacy_factories`, sorted by name."""
    found = [_factory(name, path, dist) for name, path, dist in entry_points("spacy_factories")]
    return sorted(found, key=lambda factory: factory.name)


def _factory(name: str, path: str, dist: Distribution) -> Factory:
    function = find(path)
    if not isinstance(function, griffe.Function):
        raise ValueError(f"{dist.name}: the entry point {name} names no function: {path}")
    marks = [ast.parse(str(mark.value), mode="eval").body for mark in function.decorators]
    (call,) = [mark for mark in marks if isinstance(mark, ast.Call)]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    defaults = _value(given.get("default_config", ast.Dict([], [])), function.module)
    component = find(str(function.returns.canonical_path))
    parameters = [p for p in function.parameters if p.name not in _NOT_SETTINGS]
    names = [parameter.name for parameter in parameters]
    told = {"model": "the model block: `@architectures`, and the settings of that architecture"}
    for place in (*_pointed_at(function), component):
        told |= describe(place, names)
    told = {**_in_readme(dist), **told}
    settings = tuple(
        Setting(p.name, str(p.annotation), repr(defaults.get(p.name)), told.get(p.name, "")) for p in parameters
    )
    lists = [_value(given[key], function.module) if key in given else [] for key in ("assigns", "requires")]
    return Factory(name, dist, component, *lists, settings)


def _pointed_at(function: griffe.Function) -> list[griffe.Object]:
    """What the factory's own docstring points at: "see there and mmpipe_x.options"; of a module, its classes."""
    said = function.docstring.value if function.docstring is not None else ""
    found = [find(path) for path in re.findall(r"\b(?:\w+\.)+\w+\b", said)]
    modules = [thing for thing in found if isinstance(thing, griffe.Module)]
    below = [member for thing in modules for member in thing.members.values() if isinstance(member, griffe.Class)]
    return [thing for thing in found if isinstance(thing, griffe.Class | griffe.Function)] + below


def _in_readme(dist: Distribution) -> dict[str, str]:
    """Setting -> text, of the tables in a plugin's README whose first column is headed `setting`."""
    file = dist.source.parent / "README.md"
    found: dict[str, str] = {}
    is_within = False
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        is_within = line.startswith("| setting ") or (is_within and line.startswith("|"))
        name = re.match(r"\| `(\w+)` \|", line)
        if is_within and name:
            found[name[1]] = line.strip("| ").rpartition(" | ")[2]
    return found


def _value(node: ast.expr, module: griffe.Module) -> Any:
    """What an expression of literals and constants of the tree comes to: {"max_bytes": MAX_BYTES, **COMMON}."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.id for part in names if isinstance(part.ctx, ast.Store)}
    values: dict[str, Any] = {}
    for name in {part.id for part in names} - own:
        named = find(module.resolve(name))
        values[name] = _value(ast.parse(str(named.value), mode="eval").body, named.module)
    return eval(compile(ast.Expression(node), "<default>", "eval"), {"__builtins__": {}, **values})
