"""The docstrings of this project as Markdown.

They name parameters in lines of their own, or within a sentence's distance of one another (`name: what it is`), which
Markdown would run together. Each becomes an item of a list, and what is raised a paragraph of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import griffe

_LINE = "\0"
"""Stands for the end of a line within a paragraph."""
_NAMED = re.compile(rf"(?:^|(?<={_LINE})|(?<=[.;] ))(\w+(?:, \w+)*): (?=\S)")
_RAISES = re.compile(rf"(?:(?<={_LINE})|(?<=\. ))(?=Raises )")


def told(obj: griffe.Object) -> str:
    """The docstring of an object as Markdown; "" where it has none."""
    return as_markdown(obj.docstring.value, _names(obj)) if obj.docstring is not None else ""


def _names(obj: Any) -> set[str]:
    """What a docstring can explain: parameters, and the attributes of a class."""
    function = obj.members.get("__init__") if obj.is_class else obj
    parameters = getattr(function, "parameters", ()) if function is not None and not function.is_alias else ()
    members = obj.members if obj.is_class else ()
    return {parameter.name for parameter in parameters} | set(members)


def as_markdown(text: str, names: Collection[str]) -> str:
    """The docstring as Markdown. names: what it may explain; a line elsewhere that only looks like it stays."""
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(part if part.startswith("    ") else _paragraph(part, names) for part in paragraphs)


def _paragraph(text: str, names: Collection[str]) -> str:
    if text.lstrip().startswith(("- ", "|", "```", "#")):
        return text
    joined = _LINE.join(line.strip() for line in text.splitlines())
    said, *raised = _RAISES.split(joined, maxsplit=1)
    starts = [found for found in _NAMED.finditer(said) if set(found[1].split(", ")) <= set(names)]
    ends = [found.start() for found in starts[1:]] + [len(said)]
    parts = [said[: starts[0].start()] if starts else said]
    items = [
        f"- {', '.join(f'`{name}`' for name in found[1].split(', '))}: {said[found.end() : end].strip(f' {_LINE}')}"
        for found, end in zip(starts, ends, strict=False)
    ]
    blocks = [parts[0], "\n".join(item.replace(_LINE, "\n  ") for item in items), *raised]
    return "\n\n".join(block.replace(_LINE, "\n").strip() for block in blocks if block.strip(f" {_LINE}"))
