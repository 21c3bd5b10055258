"""A griffe extension: the docstrings of this project as Markdown.

They name parameters in lines of their own (`name: what it is`, with what follows indented), which Markdown would run
together. Each becomes an item of a list.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_START = re.compile(r"[a-z_]\w*(?:, [a-z_]\w*)*: \S")


class Docstrings(griffe.Extension):
    """Rewrites each docstring once it has been collected."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """The docstring with a list item for each `name: ...` line, and `Raises` in a paragraph of its own."""
    lines: list[str] = []
    is_item = is_code = False
    for line in text.splitlines():
        is_code = is_code and (line.startswith("    ") or not line.strip())
        if not lines or not lines[-1].strip():
            is_code = is_code or (line.startswith("    ") and not is_item)
        if is_code or not line.strip():
            is_item = is_item and is_code
            lines.append(line)
            continue
        if _START.match(line):
            if not is_item and lines and lines[-1].strip():
                lines.append("")
            names, _, what = line.partition(": ")
            lines.append(f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {what}")
            is_item = True
        elif is_item and line.startswith(" "):
            lines.append(f"  {line.strip()}")
        else:
            if lines and lines[-1].strip() and (is_item or line.startswith("Raises ")):
                lines.append("")
            is_item = False
            lines.append(line)
    return "\n".join(lines)
