"""`mmpipe.load`: from a declared pipeline to a plain spaCy Language.

The module is not called `load`: a module of that name would hide the function `mmpipe.load`.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from confection import Config
from spacy.language import Language
from spacy.util import load_model_from_config, registry

from mmpipe.component import TransformerPipe
from mmpipe.config import Pipeline, read_pipeline
from mmpipe.config.pipeline import Source
from mmpipe.config.results import types_of
from mmpipe.document import check_field, set_extension
from mmpipe.errors import ConfigError, MmpipeError
from mmpipe.plugins import PluginRegistry, get_plugins

logger = logging.getLogger("mmpipe")
# spaCy's registry is one for all threads.
_LOCK = threading.RLock()


def load(
    source: Source,
    overrides: Mapping[str, Any] | None = None,
    *,
    device: str | None = None,
    weights: bool = True,
    untrusted: bool | None = None,
) -> Language:
    """A plain `spacy.language.Language` from a declared pipeline.

    source: a config file (.cfg, .toml, .yaml, .json), the folder of a saved pipeline, the name of a pipeline
        that a plugin provides, or a dict `{"nlp": {"lang", "pipeline"}, "components": {...}}`.
    overrides: dotted keys, such as `{"components.sentiment.model.device": "cpu"}`.
    device: set on every model that names none of its own.
    weights: load the weights now; otherwise each component does so when it is first used.
    untrusted: the config is a stranger's: it may name no file outside its own folder, the working folder and those
        in MMPIPE_ROOTS, and fetch nothing. None asks MMPIPE_UNTRUSTED. Code it cannot run in either case.
    Raises ConfigError with every fault of the config, before any weights are loaded; PluginError where a plugin
    that is needed failed; ModelError where weights cannot be found or used.
    """
    plugins = get_plugins()
    with spacy_entry_points(plugins):
        pipeline = read_pipeline(source, overrides, plugins, untrusted=untrusted)
        pipeline.raise_faults()
        nlp = build(pipeline, device=device)
    if weights:
        for _, pipe in nlp.pipeline:
            if isinstance(pipe, TransformerPipe):
                pipe.load_weights()
    return nlp


def build(pipeline: Pipeline, *, device: str | None = None) -> Language:
    """The Language of a checked pipeline, its weights not loaded yet. Raises ConfigError for what spaCy refuses."""
    use_device(pipeline.config, device)
    try:
        with _told_by_logging():
            nlp = load_model_from_config(pipeline.config, auto_fill=True, validate=True)
            if pipeline.folder is not None:
                _restore(nlp, pipeline.config["components"], pipeline.folder)
        check_components(nlp)
    except MmpipeError as error:
        error.where = error.where or pipeline.where
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        if isinstance(error, ImportError):
            lang = pipeline.config["nlp"]["lang"]
            raise ConfigError(
                f"the pipeline cannot be built, a package is missing: {said}",
                where=f"{pipeline.where}: nlp.lang = {lang!r}",
                next_step=f"pip install 'spacy[{lang}]', or choose another language",
            ) from error
        if "[E007] 'sentencizer'" in said:
            raise ConfigError(
                "a component that needs sentences stands before 'sentencizer'",
                where="nlp.pipeline",
                next_step="put 'sentencizer' first",
            ) from error
        raise ConfigError(
            f"the pipeline cannot be built: {type(error).__name__}: {said}",
            where=pipeline.where,
            next_step="mend what it names; `--debug` shows the whole error",
        ) from error
    return nlp


def check_components(nlp: Language) -> None:
    """Raises ConfigError for a component whose attribute `field` names no field that results can stand in.

    Raises PluginError for one whose `result_type` is no type of a column.
    """
    for name, pipe in nlp.components:
        types_of(nlp, name)
        try:
            if isinstance(getattr(pipe, "field", None), str):
                check_field(pipe.field)
        except MmpipeError as error:
            error.where = f"components.{name}.field"
            raise


def use_device(config: Config, device: str | None) -> None:
    """Set the device of every model that takes one, as ours and a plugin's do, and names none; in place."""
    for block in config["components"].values() if device is not None else ():
        model = block.get("model")
        if isinstance(model, dict) and _takes_device(model.get("@architectures")):
            # A saved pipeline's config spells the default out.
            model["device"] = device if model.get("device", "auto") == "auto" else model["device"]


def _takes_device(architecture: str | None) -> bool:
    """Whether a registered architecture has a parameter `device` that is "auto" by default."""
    if architecture is None:
        return False
    parameter = inspect.signature(registry.get("architectures", architecture)).parameters.get("device")
    return parameter is not None and parameter.default == "auto"


def _restore(nlp: Language, components: Mapping[str, Any], folder: Path) -> None:
    """Load a saved pipeline's data; what overrides have changed since it was saved stays changed."""
    saved = Config().from_disk(folder / "config.cfg")["components"]
    which = ("@architectures", "name", "revision")
    renamed = []
    for name, block in components.items():
        old, new = (tree.get("model") or {} for tree in (saved.get(name, {}), block))
        if name not in saved or any(old.get(key) != new.get(key) for key in which):
            renamed.append(name)
    nlp.from_disk(folder, exclude=renamed)
    for name, pipe in nlp.components:
        if isinstance(pipe, TransformerPipe):
            pipe.cfg.update({key: value for key, value in components[name].items() if key in pipe.cfg})
            set_extension(pipe.field)


@contextlib.contextmanager
def spacy_entry_points(plugins: PluginRegistry) -> Iterator[None]:
    """Keep a broken or blocked plugin from ending spaCy, too.

    spaCy loads every `spacy_factories` entry point whenever a Language is made, and lets one that fails end all.
    Inside this context those of blocked and failed plugins are left out, and others that fail are reported.
    """
    with _LOCK:
        yield from _without_broken(plugins)


def _without_broken(plugins: PluginRegistry) -> Iterator[None]:
    catalogue = registry._entry_point_factories
    left_out = {
        name for plugin in plugins.plugins if plugin.status in ("failed", "blocked") for name in plugin.factories
    }

    def get_entry_points() -> dict[str, Any]:
        loaded = {}
        for entry_point in catalogue._get_entry_points():
            if entry_point.name in left_out:
                continue
            try:
                loaded[entry_point.name] = entry_point.load()
            except Exception as error:
                logger.warning("spaCy factory %r cannot be imported: %s", entry_point.name, error)
        return loaded

    catalogue.get_entry_points = get_entry_points
    try:
        yield
    finally:
        vars(catalogue).pop("get_entry_points", None)


@contextlib.contextmanager
def _told_by_logging() -> Iterator[None]:
    """Let warnings of building a pipeline through as log lines, which `mmpipe run` shows without code places."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            logger.warning("%s", warning.message)
