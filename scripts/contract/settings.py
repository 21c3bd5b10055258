"""The settings of components and architectures: names, kinds, ranges, defaults, descriptions, read from the source."""

from __future__ import annotations

import ast
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
    told = {"model": "the model block: `@architectures`, and the settings of that architecture"}
    told |= describe(component, [parameter.name for parameter in parameters])
    settings = tuple(
        Setting(p.name, str(p.annotation), repr(defaults.get(p.name)), told.get(p.name, "")) for p in parameters
    )
    lists = [_value(given[key], function.module) if key in given else [] for key in ("assigns", "requires")]
    return Factory(name, dist, component, *lists, settings)


def _value(node: ast.expr, module: griffe.Module) -> Any:
    """What an expression of literals and constants comes to: {"max_bytes": MAX_BYTES}, 64 * 2**20."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(key, module): _value(value, module) for key, value in pairs if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, module) for item in node.elts]
    if isinstance(node, ast.Name):
        named = find(module.resolve(node.id))
        return _value(ast.parse(str(named.value), mode="eval").body, named.module)
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return eval(compile(ast.Expression(node), "<default>", "eval"), {"__builtins__": {}})
    return ast.literal_eval(node)
