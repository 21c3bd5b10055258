"""Plugins: loaded, left out, failed, and why. Imported in a process of their own; one that ends it is found out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from typing import Any

from mmpipe.doctor.editable import mend_of
from mmpipe.doctor.finding import Finding
from mmpipe.doctor.probe import Probe, probe

_CODE = """
import dataclasses, json
from mmpipe.plugins import discover
registry = discover()
for plugin in registry.plugins:
    print(json.dumps({"plugin": dataclasses.asdict(plugin)}, default=str))
for spec in registry.all("models"):
    print(json.dumps({"model": spec.name, "folder": str(spec.folder),
                      "plugin_of": registry.find("models", spec.name).plugin.distribution}))
"""


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a plugin."""
    found = discovered(environ)
    for answer in found.answers:
        if "plugin" in answer:
            yield _of(answer["plugin"])
    if found.cause is None:
        return
    # Where it fails with every plugin left out, none is to blame.
    names = _names() if _alone("", environ).cause is None else []
    causes = {name: _alone(name, environ).cause for name in names}
    culprits = {name: cause for name, cause in causes.items() if cause is not None}
    for name, cause in culprits.items():
        mend = f"pip install --force-reinstall {name}   or: export MMPIPE_BLOCK_PLUGINS={name}"
        yield Finding("plugins", name, "error", f"ends the process that imports it: {cause}", mend)
    if not culprits:
        what = f"plugins cannot be looked for: {found.cause}"
        yield Finding("plugins", "all", "error", what, "mmpipe doctor --only metadata --only packages")


def discovered(environ: Mapping[str, str]) -> Probe:
    """What `mmpipe.plugins.discover` finds, a plugin and a model a line; strictness is not for a doctor."""
    return probe(_CODE, {**environ, "MMPIPE_STRICT_PLUGINS": ""})


def _alone(name: str, environ: Mapping[str, str]) -> Probe:
    return probe(_CODE, {**environ, "MMPIPE_STRICT_PLUGINS": "", "MMPIPE_PLUGINS": name})


def _names() -> list[str]:
    found = []
    for distribution in distributions():
        try:
            if any(point.group == "mmpipe" for point in distribution.entry_points):
                found.append(str(distribution.metadata["Name"]))
        except Exception:
            continue
    return sorted(set(found))


def _of(plugin: dict[str, Any]) -> Finding:
    name = plugin["distribution"] or plugin["name"]
    provided = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin["provides"].items())
    if plugin["status"] == "blocked":
        what = "is left out by MMPIPE_PLUGINS or MMPIPE_BLOCK_PLUGINS"
        return Finding("plugins", name, "ok", what)
    if plugin["status"] == "missing":
        return Finding("plugins", name, "error", str(plugin["error"]), f"pip install {name}")
    if plugin["error"]:
        mend = mend_of(name, f"pip install --force-reinstall {name}") + f"   or: export MMPIPE_BLOCK_PLUGINS={name}"
        level = "error" if plugin["status"] == "failed" else "warning"
        return Finding("plugins", name, level, f"{plugin['version']} {plugin['status']}: {plugin['error']}", mend)
    return Finding("plugins", name, "ok", f"{plugin['version']} loaded; {provided}")
