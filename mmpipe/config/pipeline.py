"""A pipeline as declared: read from any spelling, overridden, filled with defaults, checked."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confection import Config
from spacy.language import Language
from spacy.util import registry

from mmpipe.config.arguments import shortened
from mmpipe.config.dataflow import Stage, flow_faults
from mmpipe.config.factories import known_factories, meant_factory
from mmpipe.config.functions import refusals
from mmpipe.config.overrides import apply_overrides, without_strays
from mmpipe.config.schema import find_faults, language_class
from mmpipe.config.spelling import SPELLINGS, from_mapping, interpolate, read_file
from mmpipe.config.trust import Trust
from mmpipe.errors import ConfigError, Fault, PluginError
from mmpipe.names import nearest_path
from mmpipe.plugins import PluginRegistry

Source = str | Path | Mapping[str, Any]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's config, interpolated and completed, and what is wrong with it.

    where: what the user called it, for messages.
    config: the tree, each component's block filled with its factory's defaults.
    folder: the saved pipeline it came from, which holds its data; None for a config alone.
    faults: everything wrong with it; empty when it can be built.
    stages: the components in order, with what they assign and require.
    """

    where: str
    config: Config
    folder: Path | None
    faults: tuple[Fault, ...]
    stages: tuple[Stage, ...] = ()

    def raise_faults(self) -> None:
        """Raises ConfigError with all faults; PluginError where only plugins are to blame."""
        if not self.faults:
            return
        if all(fault.is_plugin for fault in self.faults):
            said = dict.fromkeys(f"{fault.where}: {fault.what}" for fault in self.faults)
            raise PluginError("; ".join(said), where=self.where, next_step=self.faults[0].next_step)
        count = len(self.faults)
        raise ConfigError(f"{count} fault{'s' * (count > 1)} in the config", where=self.where, faults=self.faults)


def read_pipeline(
    source: Source,
    overrides: Mapping[str, Any] | None,
    plugins: PluginRegistry,
    *,
    untrusted: bool | None = None,
    is_training: bool = False,
    beside: Path | None = None,
) -> Pipeline:
    """Read, override, complete and check a pipeline. Imports component modules, loads no weights.

    source: a config file, a saved pipeline's folder, the name of a plugin's pipeline, or a tree.
    overrides: dotted keys to values.
    untrusted: the config is a stranger's (see mmpipe.config.trust); None asks MMPIPE_UNTRUSTED.
    is_training: what its sections of training name will be carried out.
    beside: the folder of the file that a tree was read from.
    Raises ConfigError where the source cannot be found or parsed at all; what is wrong inside is in `faults`.
    """
    # Making any Language registers spaCy's own factories and those of entry points.
    Language()
    tree, where, folder = _read(source, plugins)
    tree = from_mapping(apply_overrides(tree, overrides or {}, where=where), where=where)
    config = interpolate(tree, where=where)
    _name_bare_factories(config, plugins)
    strays = list(without_strays(config, overrides or {}))
    if beside is None and isinstance(source, Path | str):
        beside = folder if folder is not None else Path(where).parent
    trust = Trust.of(untrusted, beside, overrides or {}, os.environ)
    faults = list(refusals(config, plugins, trust, is_training=is_training))
    if folder is not None and not trust.allows(folder):
        faults.append(Fault(where, "holds links that lead outside", "do not use it, or load it as your own"))
    stages = _complete(config, plugins)
    if not faults:
        # What is refused is not even imported, as looking for other faults would.
        if trust.is_stranger:
            _forbid_network(config)
        faults = [*strays, *find_faults(config, plugins), *flow_faults(stages)]
    return Pipeline(where, config, folder, tuple(faults), tuple(stages))


def _read(source: Source, plugins: PluginRegistry) -> tuple[Mapping[str, Any], str, Path | None]:
    if isinstance(source, Mapping):
        return from_mapping(source, where="config"), "config", None
    if not isinstance(source, str | Path) or not str(source):
        raise ConfigError(
            f"a pipeline is a path, a name or a dict, got {type(source).__name__} {shortened(source)}",
            where="mmpipe.load",
            next_step='for example mmpipe.load("pipeline.cfg")',
        )
    if isinstance(source, str) and (provided := plugins.find("pipelines", source)):
        config = provided.spec.config
        tree = read_file(Path(config)) if isinstance(config, Path | str) else from_mapping(config, where=source)
        return tree, source, None
    path = Path(source)
    if _exists(path) and path.is_dir():
        if not (path / "config.cfg").is_file():
            raise ConfigError(
                "the folder holds no config.cfg", where=str(path), next_step="name a config file or a saved pipeline"
            )
        return read_file(path / "config.cfg"), str(path), path
    if _exists(path):
        return read_file(path), str(path), None
    raise ConfigError("no such pipeline", where=shortened(str(source)), next_step=_found_nearby(path, plugins))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _found_nearby(path: Path, plugins: PluginRegistry) -> str:
    near = [p for p in sorted(path.parent.glob("*")) if _is_config(p)] if _exists(path.parent) else []
    names = [*plugins.names("pipelines"), *(str(p) for p in near)]
    return plugins.with_absent(nearest_path(str(path), names, listing="config files here and named pipelines"))


def _is_config(path: Path) -> bool:
    """Whether a file may be a pipeline's config: a .cfg is, and of other endings what holds a section nlp."""
    if path.suffix not in SPELLINGS or path.suffix == ".cfg":
        return path.suffix == ".cfg"
    try:
        return "nlp" in read_file(path)
    except ConfigError:
        return False


def _name_bare_factories(config: Config, plugins: PluginRegistry) -> None:
    """A name in the pipeline that is a factory's needs no `factory =` of its own, nor a section."""
    nlp = config.get("nlp")
    pipeline = nlp.get("pipeline") if isinstance(nlp, dict) else None
    components = config.setdefault("components", {})
    if isinstance(pipeline, list) and isinstance(components, dict):
        for name in pipeline:
            block = components.get(name, {}) if isinstance(name, str) else None
            has_none = isinstance(block, dict) and not {"factory", "source"} & block.keys()
            if has_none and name in known_factories(plugins):
                components[name] = {"factory": name, **block}


def _complete(config: Config, plugins: PluginRegistry) -> list[Stage]:
    """Fill each component's block with its factory's defaults, in place; describe the pipeline's stages."""
    nlp, components = config.get("nlp"), config.get("components")
    if not isinstance(nlp, dict) or not isinstance(components, dict):
        return []
    language = language_class(nlp.get("lang")) or Language
    stages: dict[str, Stage] = {}
    for name, block in components.items():
        try:
            factory = meant_factory(block, language, plugins) if isinstance(block, dict) else None
        except PluginError:
            factory = None
        if factory is None:
            stages[name] = Stage(name, is_known=False)
            continue
        meta = language.get_factory_meta(factory)
        filled = _merge(meta.default_config, block)
        components[name] = filled
        stages[name] = Stage(name, meta.assigns, meta.requires, filled, meta.default_config)
    order = nlp.get("pipeline") if isinstance(nlp.get("pipeline"), list) else []
    names = dict.fromkeys(name for name in order if isinstance(name, str))
    return [stages.get(name) or Stage(name, is_known=False) for name in names]


def _forbid_network(tree: Any) -> None:
    """Set `offline` in every block of a function that knows it, in place."""
    for key, value in list(tree.items()) if isinstance(tree, dict) else ():
        if key == "@architectures" and isinstance(value, str) and registry.has("architectures", value):
            if "offline" in inspect.signature(registry.get("architectures", value)).parameters:
                tree["offline"] = True
        else:
            _forbid_network(value)


def _merge(defaults: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """The block over its defaults. A block without the `@...` line of its default is meant for that default."""
    # Copied, for what is done to a config must not reach the factory's own defaults.
    merged = copy.deepcopy(dict(defaults))
    for key, value in block.items():
        default = defaults.get(key)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            kinds = [name for name in default if name.startswith("@")]
            is_other = any(name.startswith("@") and value[name] != default.get(name) for name in value)
            merged[key] = dict(value) if kinds and is_other else _merge(default, value)
        else:
            merged[key] = value
    return merged
