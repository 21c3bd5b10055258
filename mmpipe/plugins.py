"""Find and filter plugins.

Every entry point of the group `mmpipe` is loaded alone: one that fails is recorded with its distribution,
version and cause, and named when someone asks for what it provides. It stops nothing else.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any

from mmpipe import hookspecs
from mmpipe.installed import InstalledEntryPoint, canonicalize_name, installed_entry_points
from mmpipe.names import resolve
from mmpipe.registry import GROUP, Plugin, PluginRegistry


def discover(
    found: Iterable[InstalledEntryPoint] | None = None,
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
    for entry_point in sorted(installed_entry_points(GROUP) if found is None else found, key=_order):
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


def _order(entry_point: InstalledEntryPoint) -> tuple[str, str]:
    return entry_point.distribution, entry_point.name


def _described(entry_point: InstalledEntryPoint) -> Plugin:
    told = entry_point.distribution or "(unknown distribution)", entry_point.version or "?"
    return Plugin(entry_point.name, *told, factories=entry_point.factories)


def _listed(names: str) -> list[str]:
    return [canonicalize_name(name.strip()) for name in names.split(",") if name.strip()]


__all__ = ["Plugin", "PluginRegistry", "discover", "get_plugins"]
