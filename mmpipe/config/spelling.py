"""The spellings of a config tree: text in one of four formats to a plain nested dict."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from configparser import Error as ConfigParserError
from pathlib import Path
from typing import Any

import yaml
from confection import Config, ConfigValidationError
from confection import Config as Tree

from mmpipe.config.expansion import check_expansion
from mmpipe.config.leaves import MAX_DEPTH, check_leaves
from mmpipe.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES, MAX_COMMENTS = 2**18, 100
MAX_YAML_BYTES = 2**16  # Its parser is slow.
"""Limits of a config's file: its bytes, and ` #` in a line that may begin a comment."""
_KEY = re.compile(r"""(?P<part>[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')|(?P<between>[. \t]+)|(?P<other>[^.])""")
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
        text = _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}",
            where=str(path),
            next_step="save the file as UTF-8",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), next_step="check the file and its permissions"
        ) from None
    try:
        tree = spelling(text)
    except (ValueError, RecursionError, yaml.YAMLError, ConfigParserError, ConfigValidationError) as error:
        raise ConfigError(
            f"not a valid {path.suffix} file: {_said(error)}",
            where=str(path),
            next_step=f"mend that place; {_HINTS[path.suffix.lower()]}",
        ) from None
    return from_mapping(tree, where=str(path))


def from_mapping(tree: Any, *, where: str) -> Tree:
    """The tree of a mapping whose leaves are JSON data. Raises ConfigError that names the first odd leaf."""
    if not isinstance(tree, Mapping):
        raise ConfigError(
            f"a config is a table of sections, got {type(tree).__name__}",
            where=where,
            next_step='the smallest one is {"nlp": {"lang": "en", "pipeline": []}}',
        )
    check_leaves(tree, where)
    return Config(tree) if not isinstance(tree, Config) else tree


def interpolate(tree: Tree, *, where: str) -> Tree:
    """Fill in `${section.key}`. Raises ConfigError that names the reference that leads nowhere."""
    if "${" not in json.dumps(tree):
        return Config(tree)
    try:
        check_expansion(tree, where)
        filled = Config(tree).interpolate()
        has_more = "${" in json.dumps(filled)  # ValueError for a section that has come to hold itself.
    except (ValueError, RecursionError, ConfigParserError, ConfigValidationError) as error:
        raise ConfigError(
            f"a ${{...}} reference cannot be filled in: {_said(error)}",
            where=where,
            next_step="refer to a key that is there, as ${section.key}, and not in a circle",
        ) from None
    # spaCy fills in again what it finds, after everything here has been checked.
    if has_more:
        raise ConfigError(
            "a ${...} reference comes out of filling in another",
            where=where,
            next_step="write it out; references are filled in once",
        )
    return from_mapping(filled, where=where)


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise IsADirectoryError(0, "it is no file") if path.is_dir() else OSError(0, "it is no file")
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    most = MAX_YAML_BYTES if path.suffix.lower() in (".yaml", ".yml") else MAX_BYTES
    if len(data) > most:
        raise ConfigError(f"is longer than {most:,} bytes", where=str(path), next_step="a pipeline needs few")
    return data


def _read_cfg(text: str) -> Any:
    """confection's format, with two things forgiven that it refuses: a `[components.x]` without a `[components]`
    before it, and a comment behind a value."""
    lines = [_without_comment(line) for line in text.split("\n")]
    try:
        return _unescaped(Config().from_str("\n".join(_with_parents(lines)), interpolate=False))
    except ConfigValidationError:
        # Told again from the text as it stands, so that line numbers are the user's own.
        return Config().from_str("\n".join(lines), interpolate=False)
    except KeyError as error:
        raise ValueError(f"a section [{error.args[0]}.*] stands before its parent [{error.args[0]}]") from None


def _unescaped(value: Any) -> Any:
    """`$$` stands for `$`: confection writes it so, and reads it so only where it interpolates."""
    if isinstance(value, Mapping):
        return {key: _unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    return re.sub(r"\$\$(?!\{)", "$", value) if isinstance(value, str) else value


def _read_toml(text: str) -> Any:
    """TOML, where no key has more parts than a tree has levels: the parser's time grows with their square."""
    n_parts = 0
    for match in _KEY.finditer(text):
        if match.lastgroup == "part":
            n_parts += 1
        elif match.lastgroup == "other":
            n_parts = 0
        if n_parts > 2 * MAX_DEPTH:
            raise RecursionError
    return tomllib.loads(text)


def _with_parents(lines: list[str]) -> Iterator[str]:
    """The lines, with a header before each section whose parent has none anywhere."""
    named = {match.group(1).strip() for line in lines if (match := _SECTION.fullmatch(line.strip()))}
    for line in lines:
        match = _SECTION.fullmatch(line.strip())
        parts = match.group(1).strip().split(".") if match else []
        if len(parts) > 2 * MAX_DEPTH:
            raise RecursionError
        for parent in (".".join(parts[:depth]) for depth in range(1, len(parts))):
            if parent not in named:
                named.add(parent)
                yield f"[{parent}]"
        yield line


def _without_comment(line: str) -> str:
    """Cut ` # ...` off a setting whose value is complete without it."""
    for mark in itertools.islice(re.finditer(r"\s#", line), MAX_COMMENTS):
        before = line[: mark.start()]
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(before.partition("=")[2])
            return before
    return line


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For JSON, which lets the last of two equal keys win in silence."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return tree


class _YamlLoader(yaml.SafeLoader):
    """For YAML, which does the same."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag == "tag:yaml.org,2002:merge":
                # A few merges of merges are billions of keys.
                raise yaml.constructor.ConstructorError(None, None, "merge keys (<<) are not read", key.start_mark)
            if key.tag == "tag:yaml.org,2002:str":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


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
    ".toml": _read_toml,
    ".yaml": lambda text: yaml.load(text, _YamlLoader),
    ".yml": lambda text: yaml.load(text, _YamlLoader),
    ".json": lambda text: json.loads(text, object_pairs_hook=_unique),
}
_HINTS = {
    ".cfg": "a section is [name], a setting is name = value, a value is JSON",
    ".toml": "strings and dates need quotes",
    ".yaml": "indent with spaces, quote what is text",
    ".yml": "indent with spaces, quote what is text",
    ".json": "names and strings need double quotes, no comma before } or ]",
}
