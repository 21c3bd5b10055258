"""The registry of plugins: each is imported alone, checked against the contract, and reported if it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pluggy

from mmpipe import hookspecs, specs
from mmpipe.deprecation import told_to
from mmpipe.errors import PluginError
from mmpipe.import_error import place_of, told
from mmpipe.installed import canonicalize_name, installed_version
from mmpipe.names import nearest, resolve
from mmpipe.spec_check import check

GROUP, BUILTIN = hookspecs.PROJECT, "builtin"
KINDS: dict[str, type] = {
    "components": specs.ComponentSpec,
    "pipelines": specs.PipelineSpec,
    "models": specs.ModelSpec,
    "readers": specs.ReaderSpec,
    "writers": specs.WriterSpec,
    "metrics": specs.MetricSpec,
    "engines": specs.EngineSpec,
    "commands": specs.CommandSpec,
}
Spec = TypeVar("Spec")


@dataclass
class Plugin:
    """One entry point and what became of it.

    status: "loaded", "blocked" (left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS), "failed", or "missing"
        (MMPIPE_PLUGINS names it and it is not installed).
    error: why it failed, or what of it clashes with another plugin.
    warnings: what it uses that will be gone from the contract (see mmpipe.deprecation).
    provides: kind (`components`, `readers`, ...) -> names.
    factories: spaCy factory names that the distribution's metadata declares, known without importing it.
    """

    name: str
    distribution: str
    version: str
    status: str = "loaded"
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    provides: dict[str, list[str]] = field(default_factory=dict)
    factories: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return f"{self.distribution} {self.version}".strip() or self.name

    @property
    def told(self) -> str:
        """Its state in a few words, for a plugin that is not loaded."""
        left_out = "left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS"
        return f"{self.origin}, which is {self.status}: {self.error or left_out}"

    def promises(self, factory: str) -> bool:
        """Whether a component of that name is likely its own, going by its metadata or by its name."""
        bare = canonicalize_name(self.distribution).removeprefix(f"{GROUP}-")
        own = {canonicalize_name(self.name), canonicalize_name(self.distribution), bare} - {""}
        named = canonicalize_name(factory)
        return factory in self.factories or any(f"{named}-".startswith(f"{name}-") for name in own)

    def note(self, error: str) -> None:
        """Add to what is wrong with it."""
        self.error = f"{self.error}; {error}" if self.error and error not in self.error else error


@dataclass(frozen=True)
class Provided(Generic[Spec]):
    """A spec and the plugin it came from."""

    spec: Spec
    plugin: Plugin


class PluginRegistry:
    """All plugins of this environment, and what they provide by kind and name.

    builtin: the module of what mmpipe itself provides. contract: the module of hook specifications.
    """

    def __init__(self, builtin: Any = None, contract: Any = hookspecs) -> None:
        self.contract = contract
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(contract)
        self.plugins: list[Plugin] = []
        self._provided: dict[str, dict[str, list[Provided]]] = {kind: {} for kind in KINDS}
        if builtin is not None:
            self.add(Plugin(BUILTIN, "mmpipe", installed_version("mmpipe")), lambda: builtin)

    def add(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        """Import one plugin, check it against the contract and register what it yields."""
        self.plugins.append(plugin)
        if plugin.status != "loaded":
            return
        module = None
        try:
            module = load()
            _check_api_version(module)
            with told_to(plugin.origin, plugin.warnings):
                self.manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            self._check_hook_names(module)
            yielded = [(kind, spec) for kind in KINDS for spec in self._collect(module, kind)]
        except (Exception, SystemExit) as error:
            plugin.status = "failed"
            plugin.error = " ".join(error.what.split()) if isinstance(error, PluginError) else told(error)
            if module is not None and self.manager.is_registered(module):
                self.manager.unregister(module)
            return
        for kind, spec in yielded:
            plugin.provides.setdefault(kind, []).append(spec.name)
            rivals = self._provided[kind].setdefault(spec.name, [])
            if rivals and rivals[0].plugin.name == BUILTIN:
                plugin.note(f"the {kind[:-1]} {spec.name!r} is mmpipe's own; that of {plugin.origin} is left out")
                continue
            rivals.append(Provided(spec, plugin))
            if len(rivals) > 1:
                for rival in rivals:
                    rival.plugin.note(_clash(kind, spec.name, rivals))

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
        for plugin in self.absent:
            if kind == "components" and plugin.promises(name):
                mend = f"mend or reinstall {plugin.distribution}" if plugin.status == "failed" else "let it in again"
                raise PluginError(
                    f"component {name!r} comes from {plugin.told}", next_step=f"{mend}; see `mmpipe plugins list`"
                )
        return None

    def code(self, kind: str, name: str) -> Any:
        """Import what a provided spec names: the component's module, the reader's function, the metric's class, ...

        Raises PluginError, naming the distribution, where that fails.
        """
        spec = self.get(kind, name)
        plugin = self._provided[kind][name][0].plugin
        target = getattr(spec, {"components": "module", "metrics": "object"}.get(kind, "function"))
        try:
            return resolve(target)
        except (Exception, SystemExit) as error:
            place = place_of(error)
            mend = f"mend {place}, or reinstall" if place else "mend or reinstall"
            raise PluginError(
                f"{kind[:-1]} {name!r} of {plugin.origin} cannot be imported: {told(error)}",
                where=target,
                next_step=f"{mend} {plugin.distribution}",
            ) from error

    def get(self, kind: str, name: str) -> Any:
        """The spec of that name. Raises PluginError that names the nearest right one and failed plugins."""
        provided = self.find(kind, name)
        if provided is not None:
            return provided.spec
        hint = nearest(name, self.names(kind), listing=f"known {kind}")
        raise PluginError(f"no plugin provides the {kind[:-1]} {name!r}", next_step=self.with_absent(hint))

    def with_absent(self, hint: str) -> str:
        """A hint about an unknown name, and which plugins are not there to know it."""
        return "; ".join([hint, *(plugin.told for plugin in self.absent)])

    @property
    def absent(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.status != "loaded"]

    def raise_failures(self) -> None:
        """Raise PluginError for everything wrong with any plugin (MMPIPE_STRICT_PLUGINS=1)."""
        wrong = [f"{p.origin}: {p.error}" for p in self.plugins if p.error]
        if wrong:
            raise PluginError(
                "plugins are not in order: " + "; ".join(dict.fromkeys(wrong)),
                next_step="mend or uninstall them, or unset MMPIPE_STRICT_PLUGINS",
            )

    def _check_hook_names(self, module: Any) -> None:
        known = [name for name in dir(self.contract) if name.startswith("mmpipe_")]
        for name in known:
            hook = getattr(module, name, None)
            if callable(hook) and self.manager.parse_hookimpl_opts(module, name) is None:
                raise PluginError(f"{name} is not marked with @mmpipe.hookimpl")
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            marked = [name for name in dir(module) if self.manager.parse_hookimpl_opts(module, name) is not None]
            unknown = [name for name in marked if not hasattr(self.contract, name)]
            hints = "; ".join(nearest(name, known, listing="known hooks") for name in unknown)
            raise PluginError(f"unknown hook {', '.join(map(repr, unknown)) or error} ({hints})") from error

    def _collect(self, module: Any, kind: str) -> Iterator[Any]:
        name, wanted = f"mmpipe_{kind}", f"mmpipe.{KINDS[kind].__name__}"
        hook = getattr(module, name, None)
        if hook is None:
            return
        found = hook()
        if found is not None and not isinstance(found, Iterable):
            raise PluginError(f"{name} returned {found!r}; it must yield {wanted}")
        seen: set[str] = set()
        for spec in found or ():
            if not isinstance(spec, KINDS[kind]):
                raise PluginError(f"{name} yielded {spec!r}, not a {wanted}")
            check(spec)
            if spec.name in seen:
                raise PluginError(f"{name} yields {spec.name!r} twice")
            seen.add(spec.name)
            yield spec


def _check_api_version(module: Any) -> None:
    asked, spoken = getattr(module, "api_version", hookspecs.API_VERSION), hookspecs.API_VERSION
    if type(asked) is not int:
        raise PluginError(f"api_version must be an integer such as {spoken}, got {asked!r}")
    if asked != spoken:
        mend = "update mmpipe" if asked > spoken else "update the plugin"
        raise PluginError(f"it is built for plugin API version {asked}; this mmpipe speaks {spoken}: {mend}")


def _clash(kind: str, name: str, rivals: list[Provided]) -> str:
    origins = " and ".join(rival.plugin.origin for rival in rivals)
    return f"two plugins provide the {kind[:-1]} {name!r}: {origins}"
