"""Find and filter plugins.

Every entry point of the group `mmpipe` is loaded alone: one that fails is recorded with its distribution,
version and cause, and named when someone asks for what it provides. It stops nothing else.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from packaging.utils import canonicalize_name

from mmpipe import hookspecs
from mmpipe.names import resolve
from mmpipe.registry import GROUP, Plugin, PluginRegistry


def discover(
    found: Iterable[EntryPoint] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    contract: Any = hookspecs,
) -> PluginRegistry:
    """Load the plugins of this environment into a fresh registry.

    found: the entry points to load; all that are installed in the group `mmpipe` when None.
    environ: where MMPIPE_PLUGINS (unset: all; empty: none; a comma-separated list: only those),
        MMPIPE_BLOCK_PLUGINS and MMPIPE_STRICT_PLUGINS are read. Names are those of distributions or entry
        points; who is left out is decided before anything is imported.
    contract: the module of hook specifications.
    Raises PluginError for any fault when MMPIPE_STRICT_PLUGINS=1.
    """
    environ = os.environ if environ is None else environ
    allowed = environ.get("MMPIPE_PLUGINS")
    wanted = None if allowed is None else set(_listed(allowed))
    blocked = set(_listed(environ.get("MMPIPE_BLOCK_PLUGINS", "")))
    registry = PluginRegistry(resolve("mmpipe.builtin"), contract)
    seen: set[str] = set()
    for entry_point in sorted(entry_points(group=GROUP) if found is None else found, key=_order):
        plugin = _described(entry_point)
        names = {canonicalize_name(plugin.name), canonicalize_name(plugin.distribution)}
        seen |= names
        if names & blocked or (wanted is not None and not names & wanted):
            plugin.status = "blocked"
        registry.add(plugin, entry_point.load)
    for name in sorted((wanted or set()) - seen):
        registry.plugins.append(Plugin(name, "", "", "missing", "MMPIPE_PLUGINS names it; it is not installed"))
    if environ.get("MMPIPE_STRICT_PLUGINS", "") not in ("", "0"):
        registry.raise_failures()
    return registry


@functools.lru_cache(maxsize=1)
def get_plugins() -> PluginRegistry:
    """The registry of this process, discovered once. `get_plugins.cache_clear()` forgets it."""
    return discover()


def _order(entry_point: EntryPoint) -> tuple[str, str]:
    return str(entry_point.dist.name if entry_point.dist else ""), entry_point.name


def _described(entry_point: EntryPoint) -> Plugin:
    dist = entry_point.dist
    if dist is None:
        return Plugin(entry_point.name, "(unknown distribution)", "")
    factories = tuple(ep.name for ep in dist.entry_points if ep.group == "spacy_factories")
    # A damaged METADATA gives None for both.
    return Plugin(entry_point.name, str(dist.name or "(unknown)"), str(dist.version or "?"), factories=factories)


def _listed(names: str) -> list[str]:
    return [canonicalize_name(name.strip()) for name in names.split(",") if name.strip()]


__all__ = ["Plugin", "PluginRegistry", "discover", "get_plugins"]
