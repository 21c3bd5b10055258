"""The factories of components: which one a block names, and which one it means where it is misspelt."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from spacy.language import Language
from spacy.util import registry

from mmpipe.errors import PluginError
from mmpipe.names import nearest_name
from mmpipe.plugins import PluginRegistry

_ALL_BUT = 0.85


def component_factory(block: Mapping[str, Any], language: type[Language], plugins: PluginRegistry) -> str | None:
    """The factory name of a component's block, once spaCy knows it; None where nothing registers it.

    Raises PluginError where the plugin that provides it failed or where two claim the name.
    """
    factory = block.get("factory")
    if not isinstance(factory, str):
        return None
    provided = plugins.find("components", factory)
    if provided is not None:
        plugins.code("components", factory)
        if not language.has_factory(factory):
            raise PluginError(
                f"{provided.plugin.origin}: importing {provided.spec.module} registers no spaCy factory {factory!r}",
                next_step=f'decorate the component with @Language.factory("{factory}")',
            )
    return factory if language.has_factory(factory) else None


def meant_factory(block: Mapping[str, Any], language: type[Language], plugins: PluginRegistry) -> str | None:
    """The same; where nothing registers the name, the factory whose name is all but that, so that the block's other
    faults are found as well."""
    factory = component_factory(block, language, plugins)
    named = block.get("factory")
    if factory is None and isinstance(named, str):
        near = nearest_name(named, known_factories(plugins), least=_ALL_BUT)
        with contextlib.suppress(PluginError):
            return component_factory({"factory": near}, language, plugins)
    return factory


def known_factories(plugins: PluginRegistry) -> list[str]:
    """Names that can stand behind `factory =`: those of plugins and those of spaCy."""
    # spaCy keys factories as "language.name" where only one language has them.
    return [*plugins.names("components"), *(name for name in registry.factories.get_all() if "." not in name)]
