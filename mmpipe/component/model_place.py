"""Where in a config a component's model is named: for what is wrong with a model, the user has to mend it there."""

from __future__ import annotations

from collections.abc import Iterator

from spacy.language import Language
from thinc.api import Model

from mmpipe.errors import Fault, MmpipeError, ModelError, PluginError
from mmpipe.models.transformer import has_shim, shim_of


def load_model(model: Model, component: str) -> None:
    """Bring a component's model into memory. Raises ModelError, or PluginError, that begins with the place in the
    config where it cannot be found or used."""
    shim = shim_of(model)
    _ = shim.placement  # A device is no fault of the model that is named.
    try:
        _ = shim.module, shim.tokenizer
    except (ModelError, PluginError) as error:
        error.where = _place(component, error)
        raise


def model_faults(nlp: Language) -> Iterator[Fault]:
    """A fault for each component whose model is a folder that is not there or holds no weights, or one that no plugin
    ships. Reads no weights, and says nothing of Hugging Face ids."""
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        if model is None or not has_shim(model):
            continue
        try:
            shim_of(model).checkpoint.reference.check()
        except MmpipeError as error:
            yield Fault(_place(name, error), error.what, error.next_step or "name another model")


def _place(component: str, error: MmpipeError) -> str:
    place = f"components.{component}.model.name"
    return f"{place}: {error.where}" if error.where else place
