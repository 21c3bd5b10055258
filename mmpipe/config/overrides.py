"""Dotted overrides: `components.qa.model.name` = a value, on the command line or as a dict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmpipe.errors import ConfigError, Fault
from mmpipe.names import nearest


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """`["--components.qa.model.name=x", "--nlp.batch_size", "8"]` to a dict of dotted keys.

    A value is read as JSON where it is JSON (`8`, `true`, `["a"]`), else as the string it is.
    Raises ConfigError for an argument that is no override, or that lacks its value.
    """
    overrides: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        key, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or "." not in key:
            raise ConfigError(
                f"unknown option {argument!r}",
                next_step="options come from --help; an override is written --section.key=value",
            )
        if not equals:
            if not rest:
                raise ConfigError(f"override {argument!r} has no value", next_step=f"write {argument}=VALUE")
            value = rest.pop(0)
        overrides[key] = _parse(value)
    return overrides


def apply_overrides(tree: Mapping[str, Any], overrides: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """A copy of the tree with each dotted key set. Sections that are not there yet are made.

    Raises ConfigError where a key leads through something that is not a section.
    """
    if not isinstance(overrides, Mapping):
        raise ConfigError(
            f"overrides are a dict of dotted keys, got {type(overrides).__name__}",
            where=where,
            next_step='for example {"components.sentiment.model.device": "cpu"}',
        )
    result = _copy(tree)
    for dotted, value in overrides.items():
        *sections, key = str(dotted).split(".")
        place = result
        if not sections or not all([*sections, key]):
            raise ConfigError(
                f"override {dotted!r} is not a dotted key", where=where, next_step="write it as section.key"
            )
        for depth, section in enumerate(sections):
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                above = ".".join(sections[: depth + 1])
                raise ConfigError(
                    f"override {dotted!r}: {above} is a value, not a section",
                    where=where,
                    next_step=f"override {above} itself; `mmpipe config` prints what is there",
                )
        place[key] = _copy(value) if isinstance(value, Mapping) else value
    return result


def without_strays(config: dict[str, Any], overrides: Mapping[str, Any]) -> Iterator[Fault]:
    """A fault for each component that only overrides name; its block, which nobody asked for, is taken out in place."""
    nlp, components = config.get("nlp"), config.get("components")
    order = nlp.get("pipeline") if isinstance(nlp, Mapping) else None
    if not isinstance(components, dict) or not isinstance(order, list):
        return
    parts = [str(dotted).split(".") for dotted in overrides]
    for name in dict.fromkeys(part[1] for part in parts if part[0] == "components" and len(part) > 2):
        block = components.get(name)
        settings = {part[2] for part in parts if part[:2] == ["components", name]}
        is_stray = isinstance(block, Mapping) and name not in order and not {"factory", "source"} & block.keys()
        if is_stray and block.keys() <= settings:
            del components[name]
            known = [*components, *(one for one in order if isinstance(one, str))]
            yield Fault(f"components.{name}", f"no component {name!r}", nearest(name, known, listing="components"))


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}


def _parse(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
