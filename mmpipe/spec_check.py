"""What a spec may hold, checked when a plugin yields it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmpipe.errors import PluginError
from mmpipe.specs import CommandSpec, ComponentSpec, ModelSpec, PipelineSpec, ReaderSpec, WriterSpec


def check(spec: Any) -> None:
    """Raises PluginError where what a plugin's spec holds is not of the kinds above."""
    kind = type(spec).__name__

    def expect(is_so: bool, field: str, wanted: str) -> None:
        if not is_so:
            raise PluginError(f"{kind}.{field} must be {wanted}, got {getattr(spec, field)!r}")

    for name in ("name", "module", "function", "object", "licence"):
        value = getattr(spec, name, "-")
        expect(isinstance(value, str) and bool(value.strip()), name, "a non-empty string")
    for name in ("function", "object"):
        module, colon, code = getattr(spec, name, "a:b").partition(":")
        expect(bool(module and colon and code), name, f"'module:{name}'")
    expect(isinstance(spec.summary, str), "summary", "a string")
    if isinstance(spec, ComponentSpec):
        expect(":" not in spec.module, "module", "a module, which registers the factory,")
        if "." in spec.name:
            raise PluginError(f"{kind}.name may not contain a dot, got {spec.name!r}")
    elif isinstance(spec, CommandSpec):
        is_word = not spec.name.startswith("-") and len(spec.name.split()) == 1
        expect(is_word, "name", "one word that begins with no dash")
    elif isinstance(spec, ModelSpec):
        if not spec.name.startswith("mmpipe/"):
            raise PluginError(f"{kind}.name must begin with 'mmpipe/', got {spec.name!r}")
        expect(isinstance(spec.folder, Path | str), "folder", "a path")
    elif isinstance(spec, PipelineSpec):
        expect(isinstance(spec.config, Mapping | Path | str), "config", "a tree or the path of a config file")
    elif isinstance(spec, ReaderSpec | WriterSpec):
        _check_format(spec, expect)


def _check_format(spec: ReaderSpec | WriterSpec, expect: Callable[[bool, str, str], None]) -> None:
    suffixes = spec.suffixes
    are_endings = isinstance(suffixes, tuple) and all(isinstance(s, str) and s.startswith(".") for s in suffixes)
    expect(are_endings and all(s == s.lower() for s in suffixes), "suffixes", "a tuple such as ('.jsonl',), lower case")
    if isinstance(spec, ReaderSpec):
        sidecars = spec.sidecars
        are_names = isinstance(sidecars, tuple) and all(isinstance(name, str) and name for name in sidecars)
        expect(are_names, "sidecars", "a tuple such as ('captions.jsonl',)")
    else:
        expect(spec.takes in ("results", "docs"), "takes", "'results' or 'docs'")
        expect(isinstance(spec.is_table, bool), "is_table", "true or false")
