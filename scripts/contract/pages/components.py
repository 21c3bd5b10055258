"""docs/reference/components.md: every component of the plugins in plugins/, its settings, what it reads and writes."""

from __future__ import annotations

import inspect

from contract.descriptions import entries
from contract.pages.markdown import MADE, settings_table
from contract.settings import Factory, factories


def page() -> str:
    parts = [
        MADE,
        "# Components",
        "What stands behind `factory` in `[components.<name>]`. Settings that are left out have the defaults below; "
        "the settings of a model block are those of its [architecture](architectures.md).",
    ]
    for factory in factories():
        parts += [f"## {factory.name}", _about(factory), *_told(factory)]
        component = factory.component
        parts.append(settings_table(factory.settings, component.module))
    return "\n\n".join(parts) + "\n"


def _about(factory: Factory) -> str:
    lists = ", ".join(f"`{name}`" for name in factory.assigns) or "nothing declared"
    needs = ", ".join(f"`{name}`" for name in factory.requires)
    requires = f" Requires {needs}." if needs else ""
    return f"From `{factory.distribution.name}`, class `{factory.component.path}`. Assigns {lists}.{requires}"


def _told(factory: Factory) -> list[str]:
    """The paragraphs of the class's docstring that say what it writes, without those that describe settings."""
    text = inspect.cleandoc(factory.component.docstring.value)
    names = [setting.name for setting in factory.settings]
    return [part for part in text.split("\n\n") if not entries(part, names)]
