"""The spellings of a config tree: text in one of four formats to a plain nested dict."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from configparser import Error as ConfigParserError
from pathlib import Path
from typing import Any

import yaml
from confection import Config, ConfigValidationError
from confection import Config as Tree

from mmpipe.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SECTION = re.compile(r"\[([^\[\]]+)\]")


def read_file(path: Path) -> Tree:
    """The tree that a config file holds, not yet interpolated. Raises ConfigError with file and line."""
    spelling = SPELLINGS.get(path.suffix.lower())
    if spelling is None:
        raise ConfigError(
            f"cannot tell the format of a config from the ending {path.suffix!r}",
            where=str(path),
            next_step=f"use one of {', '.join(SPELLINGS)}",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}",
            where=str(path),
            next_step="save the file as UTF-8",
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    try:
        tree = spelling(text)
    except (ValueError, RecursionError, yaml.YAMLError, ConfigParserError, ConfigValidationError) as error:
        raise ConfigError(f"not a valid {path.suffix} file: {_said(error)}", where=str(path)) from None
    return from_mapping(tree, where=str(path))


def from_mapping(tree: Any, *, where: str) -> Tree:
    """The tree of a mapping whose leaves are JSON data. Raises ConfigError that names the first odd leaf."""
    if not isinstance(tree, Mapping):
        raise ConfigError(
            f"a config is a table of sections, got {type(tree).__name__}",
            where=where,
            next_step='the smallest one is {"nlp": {"lang": "en", "pipeline": []}}',
        )
    try:
        _check_leaves(tree, where, ())
    except RecursionError:
        raise ConfigError("is nested too deeply", where=where) from None
    return Config(tree) if not isinstance(tree, Config) else tree


def interpolate(tree: Tree, *, where: str) -> Tree:
    """Fill in `${section.key}`. Raises ConfigError that names the reference that leads nowhere."""
    if "${" not in json.dumps(tree):
        return Config(tree)
    try:
        return Config(tree).interpolate()
    except (ValueError, RecursionError, ConfigParserError, ConfigValidationError) as error:
        raise ConfigError(f"a ${{...}} reference cannot be filled in: {_said(error)}", where=where) from None


def _read_cfg(text: str) -> Any:
    """confection's format, with two things forgiven that it refuses: a `[components.x]` without a `[components]`
    before it, and a comment behind a value."""
    lines = [_without_comment(line) for line in text.splitlines()]
    sections = [match.group(1).strip() for line in lines if (match := _SECTION.fullmatch(line.strip()))]
    parents = {name.rsplit(".", depth)[0] for name in sections for depth in range(1, name.count(".") + 1)}
    missing = [f"[{name}]" for name in sorted(parents - set(sections))]
    try:
        return Config().from_str("\n".join(missing + lines), interpolate=False)
    except ConfigValidationError:
        # Told again from the text as it stands, so that line numbers are the user's own.
        return Config().from_str("\n".join(lines), interpolate=False)


def _without_comment(line: str) -> str:
    """Cut ` # ...` off a setting whose value is complete without it."""
    for mark in re.finditer(r"\s#", line):
        before = line[: mark.start()]
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(before.partition("=")[2])
            return before
    return line


def _check_leaves(value: Any, where: str, path: tuple[str, ...]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key:
                raise ConfigError(f"{key!r} is not a name", where=": ".join([where, ".".join(path)]))
            _check_leaves(item, where, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_leaves(item, where, (*path, str(index)))
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise ConfigError(
            f"{value!r} is a {type(value).__name__}; values are strings, numbers, booleans, null, lists and tables",
            where=f"{where}: {'.'.join(path)}",
            next_step="put it in quotes",
        )


def _said(error: Exception) -> str:
    """One line of what a parser said, with the line number that it gives."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, ConfigValidationError):
        first = error.errors[0] if error.errors else {}
        parts = [getattr(error, "title", None), getattr(error, "desc", None), first.get("msg")]
        return " ".join(" ".join(str(part) for part in parts if part).split()) or "it cannot be parsed"
    return " ".join(str(error).split()).replace("<string>", "").replace('in "<unicode string>", ', "at ")


SPELLINGS: dict[str, Callable[[str], Any]] = {
    ".cfg": _read_cfg,
    ".toml": tomllib.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    ".json": json.loads,
}
