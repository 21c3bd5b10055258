"""Find, filter, isolate, check and report plugins.

Every entry point of the group `mmpipe` is loaded alone: one that fails is recorded with its distribution,
version and cause, and named when someone asks for what it provides. It stops nothing else.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Generic, TypeVar

import pluggy
from packaging.utils import canonicalize_name

from mmpipe import hookspecs, specs
from mmpipe.errors import PluginError
from mmpipe.names import nearest, resolve

GROUP = hookspecs.PROJECT
KINDS: dict[str, type] = {
    "components": specs.ComponentSpec,
    "pipelines": specs.PipelineSpec,
    "models": specs.ModelSpec,
    "readers": specs.ReaderSpec,
    "writers": specs.WriterSpec,
    "commands": specs.CommandSpec,
}
Spec = TypeVar("Spec")


@dataclass
class Plugin:
    """One entry point and what became of it.

    status: "loaded", "blocked" (left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS), "failed", or "missing"
        (MMPIPE_PLUGINS names it and it is not installed).
    error: why it failed, or what of it clashes with another plugin.
    provides: kind (`components`, `readers`, ...) -> names.
    factories: spaCy factory names that the distribution's metadata declares, known without importing it.
    """

    name: str
    distribution: str
    version: str
    status: str = "loaded"
    error: str | None = None
    provides: dict[str, list[str]] = field(default_factory=dict)
    factories: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class Provided(Generic[Spec]):
    """A spec and the plugin it came from."""

    spec: Spec
    plugin: Plugin


class PluginRegistry:
    """All plugins of this environment, and what they provide by kind and name."""

    def __init__(self, builtin: Any = None) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._provided: dict[str, dict[str, list[Provided]]] = {kind: {} for kind in KINDS}
        if builtin is not None:
            self.add(Plugin("builtin", "mmpipe", version("mmpipe")), lambda: builtin)

    def add(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        """Import one plugin, check it against the contract and register what it yields."""
        self.plugins.append(plugin)
        if plugin.status != "loaded":
            return
        module = None
        try:
            module = load()
            _check_api_version(module)
            self.manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            self._check_hook_names(module)
            yielded = [(kind, spec) for kind in KINDS for spec in self._collect(module, kind)]
        except (Exception, SystemExit) as error:
            plugin.status = "failed"
            plugin.error = f"{type(error).__name__}: {getattr(error, 'what', error)}"
            if module is not None and self.manager.is_registered(module):
                self.manager.unregister(module)
            return
        for kind, spec in yielded:
            plugin.provides.setdefault(kind, []).append(spec.name)
            rivals = self._provided[kind].setdefault(spec.name, [])
            rivals.append(Provided(spec, plugin))
            if len(rivals) > 1:
                for rival in rivals:
                    rival.plugin.error = _clash(kind, spec.name, rivals)

    def names(self, kind: str) -> list[str]:
        """The names of a kind that exactly one plugin provides, in the order they were registered."""
        return [name for name, rivals in self._provided[kind].items() if len(rivals) == 1]

    def all(self, kind: str) -> list[Any]:
        """The specs of a kind, without those whose name two plugins claim."""
        return [rivals[0].spec for rivals in self._provided[kind].values() if len(rivals) == 1]

    def find(self, kind: str, name: str) -> Provided | None:
        """What provides `name`, or None where no plugin knows it.

        Raises PluginError where the plugin that should provide it failed, or where two provide it.
        """
        rivals = self._provided[kind].get(name, [])
        if len(rivals) > 1:
            raise PluginError(
                _clash(kind, name, rivals),
                next_step="uninstall one of them, or set MMPIPE_BLOCK_PLUGINS to the one to leave out",
            )
        if rivals:
            return rivals[0]
        for plugin in self.plugins:
            if kind == "components" and name in plugin.factories and plugin.status in ("failed", "blocked"):
                why = plugin.error or "left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS"
                raise PluginError(
                    f"component {name!r} comes from {plugin.origin}, which is {plugin.status}: {why}",
                    next_step="`mmpipe plugins list` shows every plugin and its state",
                )
        return None

    def get(self, kind: str, name: str) -> Any:
        """The spec of that name. Raises PluginError that names the nearest right one and failed plugins."""
        provided = self.find(kind, name)
        if provided is not None:
            return provided.spec
        raise PluginError(f"no plugin provides the {kind[:-1]} {name!r}", next_step=self.advice(kind, name))

    def advice(self, kind: str, name: str) -> str:
        """What to do about an unknown name: the nearest known one, and which plugins failed."""
        failed = "; ".join(f"{p.origin} failed to load ({p.error})" for p in self.failed)
        known = nearest(name, self.names(kind), listing=f"known {kind}")
        return f"{known}; {failed}" if failed else known

    @property
    def failed(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.status in ("failed", "missing")]

    def raise_failures(self) -> None:
        """Raise PluginError for everything wrong with any plugin (MMPIPE_STRICT_PLUGINS=1)."""
        wrong = [f"{p.origin or p.name}: {p.error}" for p in self.plugins if p.error]
        if wrong:
            raise PluginError(
                "plugins are not in order: " + "; ".join(dict.fromkeys(wrong)),
                next_step="mend or uninstall them, or unset MMPIPE_STRICT_PLUGINS",
            )

    def _check_hook_names(self, module: Any) -> None:
        known = [name for name in dir(hookspecs) if name.startswith("mmpipe_")]
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            unknown = [name for name in dir(module) if _is_pending(self.manager, module, name)]
            hints = "; ".join(nearest(name, known, listing="known hooks") for name in unknown)
            raise PluginError(f"unknown hook {', '.join(map(repr, unknown)) or error} ({hints})") from error

    def _collect(self, module: Any, kind: str) -> Iterator[Any]:
        hook = getattr(module, f"mmpipe_{kind}", None)
        if hook is None or self.manager.parse_hookimpl_opts(module, f"mmpipe_{kind}") is None:
            return
        for spec in hook() or ():
            if not isinstance(spec, KINDS[kind]):
                raise PluginError(f"mmpipe_{kind} yielded {spec!r}, not a mmpipe.{KINDS[kind].__name__}")
            yield spec


def discover(found: Iterable[EntryPoint] | None = None, environ: Mapping[str, str] | None = None) -> PluginRegistry:
    """Load the plugins of this environment into a fresh registry.

    found: the entry points to load; all that are installed in the group `mmpipe` when None.
    environ: where MMPIPE_PLUGINS (unset: all; empty: none; a comma-separated list: only those),
        MMPIPE_BLOCK_PLUGINS and MMPIPE_STRICT_PLUGINS are read. Names are those of distributions or entry
        points; who is left out is decided before anything is imported.
    Raises PluginError for any fault when MMPIPE_STRICT_PLUGINS=1.
    """
    environ = os.environ if environ is None else environ
    allowed = environ.get("MMPIPE_PLUGINS")
    wanted = None if allowed is None else set(_listed(allowed))
    blocked = set(_listed(environ.get("MMPIPE_BLOCK_PLUGINS", "")))
    registry = PluginRegistry(builtin=resolve("mmpipe.builtin"))
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
    return (entry_point.dist.name if entry_point.dist else ""), entry_point.name


def _described(entry_point: EntryPoint) -> Plugin:
    dist = entry_point.dist
    if dist is None:
        return Plugin(entry_point.name, "(unknown distribution)", "")
    factories = tuple(ep.name for ep in dist.entry_points if ep.group == "spacy_factories")
    return Plugin(entry_point.name, dist.name, dist.version, factories=factories)


def _check_api_version(module: Any) -> None:
    version = getattr(module, "api_version", hookspecs.API_VERSION)
    if version != hookspecs.API_VERSION:
        raise PluginError(f"it is built for plugin API version {version}; this mmpipe speaks {hookspecs.API_VERSION}")


def _is_pending(manager: pluggy.PluginManager, module: Any, name: str) -> bool:
    return manager.parse_hookimpl_opts(module, name) is not None and not hasattr(hookspecs, name)


def _clash(kind: str, name: str, rivals: list[Provided]) -> str:
    origins = " and ".join(rival.plugin.origin for rival in rivals)
    return f"two plugins provide the {kind[:-1]} {name!r}: {origins}"


def _listed(names: str) -> list[str]:
    return [canonicalize_name(name.strip()) for name in names.split(",") if name.strip()]
