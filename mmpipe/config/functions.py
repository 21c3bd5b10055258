"""Which registered functions a config may call: those that compute. A config is data, whoever wrote it.

spaCy resolves every `@kind = "name"` block by calling what is registered under that name, with the block's settings.
Among those are functions that import packages by name, read files, run commands or talk to servers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from spacy.util import registry

from mmpipe.config.trust import Trust
from mmpipe.errors import ConfigError, Fault
from mmpipe.plugins import PluginRegistry

LOADING, TRAINING = ("nlp", "components"), ("corpora", "training", "pretraining", "initialize")
NEVER = frozenset({"cli", "models", "languages", "factories", "datasets", "lookups", "displacy_colors"})
"""Kinds that no config has a use for: commands, packages, ..."""
FOR_TRAINING = frozenset({"readers", "loggers", "batchers", "augmenters"})
"""Kinds that read corpora and write logs: only in the sections of training."""
READS_FILES = frozenset({"spacy.KBFromFile.v1", "spacy.LookupsDataLoader.v1"})
COPIES = frozenset({"spacy.copy_from_base_model.v1"})
SENDS = ("WandbLogger", "ClearMLLogger", "MLflowLogger")
CODE_SETTINGS = frozenset({"trust_remote_code", "code_revision", "auto_map"})
FUNCTIONS = "MMPIPE_FUNCTIONS"
_OWN = frozenset({"mmpipe", "spacy", "spacy-legacy", "spacy-loggers", "spacy-transformers", "srsly", "thinc"})
_MAX_SOURCES = 5


def refusals(
    tree: Mapping[str, Any], plugins: PluginRegistry, trust: Trust, *, is_training: bool = False, depth: int = 0
) -> Iterator[Fault]:
    """Every place of an interpolated config tree that would run, import, fetch or read what a config may not.

    is_training: the sections of training are carried out, not only kept.
    """
    sections = [*LOADING, *(TRAINING if is_training or trust.is_stranger else ())]
    for section in sections:
        yield from _walk(tree.get(section), section, plugins, trust)
    components, initialize = tree.get("components"), tree.get("initialize")
    for name, block in components.items() if isinstance(components, Mapping) else ():
        if isinstance(block, Mapping) and "source" in block:
            yield from _source(block["source"], f"components.{name}.source", plugins, trust, depth)
    if is_training and isinstance(initialize, Mapping) and isinstance(initialize.get("vectors"), str):
        yield from _source(initialize["vectors"], "initialize.vectors", plugins, trust, depth)
    for section in (*sections, "paths"):
        yield from trust.faults(tree.get(section), section)


def _walk(value: Any, place: str, plugins: PluginRegistry, trust: Trust) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if str(key) in CODE_SETTINGS and item:
            yield Fault(f"{place}.{key}", "a checkpoint's own code never runs", "remove the setting")
        if str(key).startswith("@") and isinstance(item, str):
            yield from _call(str(key).removeprefix("@"), item, value, f"{place}.{key}", plugins, trust)
        yield from _walk(item, f"{place}.{key}", plugins, trust)


def _call(
    kind: str, name: str, block: Mapping[str, Any], place: str, plugins: PluginRegistry, trust: Trust
) -> Iterator[Fault]:
    is_training = place.split(".")[0] in TRAINING
    if kind in NEVER:
        yield Fault(place, f"a config may not call @{kind}", "remove the block")
    elif not is_training and (kind in FOR_TRAINING or name in READS_FILES | COPIES):
        said = f"{name!r} reads files or other pipelines, which only the sections of training may"
        yield Fault(place, said, f"move it to [initialize] or another of {', '.join(TRAINING)}, or remove it")
    elif name in COPIES:
        for key in ("tokenizer", "vocab"):
            if isinstance(block.get(key), str):
                yield from _source(block[key], f"{place.rpartition('.')[0]}.{key}", plugins, trust, 0)
    elif trust.is_stranger and any(sender in name for sender in SENDS):
        yield Fault(place, f"{name!r} sends to a server", "use spacy.ConsoleLogger.v1")
    elif (origin := _origin(kind, name)) is not None and origin not in _allowed(plugins):
        said = f"{name!r} comes from {origin}, which is no plugin of mmpipe's that is loaded"
        yield Fault(place, said, f"name the distribution in {FUNCTIONS} if you trust it, or use another function")


def _origin(kind: str, name: str) -> str | None:
    """The distribution whose entry point a function is; None where code of this process has registered it."""
    catalogue = getattr(registry, kind, None)
    if catalogue is None or not getattr(catalogue, "entry_points", False):
        return None
    names = (name, name.replace("spacy.", "spacy-legacy.", 1))
    found = [point for point in catalogue._get_entry_points() if point.name in names]
    return canonicalize_name(str(found[0].dist.name)) if found and found[0].dist is not None else None


def _allowed(plugins: PluginRegistry) -> set[str]:
    loaded = {canonicalize_name(plugin.distribution) for plugin in plugins.plugins if plugin.status == "loaded"}
    named = {canonicalize_name(name.strip()) for name in os.environ.get(FUNCTIONS, "").split(",") if name.strip()}
    return _OWN | loaded | named


def _source(name: Any, place: str, plugins: PluginRegistry, trust: Trust, depth: int) -> Iterator[Fault]:
    """What is wrong with another pipeline that components are copied from: it is loaded, by spaCy, in its turn."""
    from spacy.util import is_package

    from mmpipe.config.spelling import interpolate, read_file

    if not isinstance(name, str):
        return  # Told elsewhere.
    if trust.is_stranger:
        yield Fault(place, "a stranger's config may not copy from other pipelines", "use a factory")
        return
    if name.startswith("blank:"):
        return
    if is_package(name):
        # spaCy imports whatever package has that name, before it looks for a folder.
        models = {canonicalize_name(point.name) for point in registry.models._get_entry_points()}
        if canonicalize_name(name) not in models:
            yield Fault(place, f"{name!r} is a package, and no spaCy pipeline", "name a saved pipeline's folder")
        return
    file = Path(name) / "config.cfg"
    try:
        if not file.is_file():
            return  # spaCy says so.
    except (OSError, ValueError):
        yield Fault(place, f"{name[:80]!r} can be no folder's name", "name a saved pipeline's folder")
        return
    if depth >= _MAX_SOURCES:
        yield Fault(place, f"pipelines refer to each other more than {_MAX_SOURCES} deep", "name the last one here")
        return
    try:
        tree = interpolate(read_file(file), where=str(file))
    except ConfigError as error:
        yield Fault(place, str(error.what), error.next_step or "mend that config")
        return
    for fault in refusals(tree, plugins, trust, depth=depth + 1):
        yield Fault(place, f"{file}: {fault.where}: {fault.what}", fault.next_step)
