"""docs/reference/architectures.md: the settings of every registered architecture, and of the tables within them."""

from __future__ import annotations

import re

from contract.descriptions import describe, summary
from contract.pages.markdown import MADE, kind, prose, settings_table, table
from contract.settings import architectures, settings_of
from contract.signatures import fields
from contract.tree import entry_points, find

TABLES = {
    "training": "mmpipe.models.training.TrainingTable",
    "training.adapter": "mmpipe.models.adapter.Adapter",
}


def page() -> str:
    origins = {name: dist.name for name, _, dist in entry_points("spacy_architectures")}
    parts = [
        MADE,
        "# Architectures",
        "What stands behind `@architectures` in a component's model block. Settings that are left out have the "
        "defaults below. A registered name never changes its meaning; see [the contract](../plugin-api.md).",
    ]
    for name, path in architectures():
        function = find(path)
        parts += [f"## {name}", f"{summary(function)} From `{origins[name]}`."]
        if notes := re.search(r"\n\nOutput: (.*?)(?:\n\n|\Z)", f"{function.docstring.value}", flags=re.DOTALL):
            parts.append("Output: " + " ".join(notes[1].split()))
        settings = settings_table(settings_of(function), function.module)
        parts.append(settings.replace("`mmpipe.models.training.Training`", "[its table](#the-table-training)"))
    for block, path in TABLES.items():
        parts += [f"## The table `{block}`", prose(summary(find(path))), typed_table(path)]
    return "\n\n".join(parts) + "\n"


def typed_table(path: str) -> str:
    """The keys of a TypedDict, all of which may be left out."""
    found = find(path)
    told = describe(found, [field.name for field in fields(found)])
    rows = [
        (f"`{field.name}`", kind(str(field.annotation), found.module), prose(told.get(field.name, "")))
        for field in fields(found)
    ]
    return table(("key", "value", "meaning"), rows)
