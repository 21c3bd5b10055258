"""docs/reference/hooks.md: each hook with its signature, the spec it yields, and a plugin that is run by a test."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import griffe

from contract.descriptions import describe, summary
from contract.pages.markdown import MADE, default, prose, table
from contract.signatures import fields, hooks, signature
from contract.tree import ROOT, find

EXAMPLES = ROOT / "docs" / "reference" / "examples"


def page() -> str:
    about = _text(find("mmpipe.hookspecs")).partition("\n\n")[2]
    parts = [MADE, "# Hooks", about.replace("docs/plugin-api.md", "[the contract](../plugin-api.md)")]
    parts.append(
        "Each example below is a whole plugin: the module that an entry point of the group `mmpipe` names "
        "(`..._plugin.py`), and what it brings. A test installs and uses every one of them."
    )
    for hook in hooks():
        told = inspect.cleandoc(_text(hook))
        parts += [f"## {hook.name}", f"```python\ndef {hook.name}{signature(hook)}: ...\n```", _paragraphs(hook, told)]
        for name in re.findall(r"\b(\w+Spec|RunInfo|RunCounts)\b", signature(hook)):
            parts.append(_fields(find(f"mmpipe.specs.{name}")))
        parts.append("### Example: " + _title(hook.name))
        parts += [f"`{file.name}`\n\n```python\n{file.read_text('utf-8').strip()}\n```" for file in files_of(hook.name)]
    return "\n\n".join(parts) + "\n"


def files_of(hook: str) -> list[Path]:
    """The files of a hook's example, the module of hooks first. Raises ValueError where it has none."""
    found = sorted((EXAMPLES / hook).glob("*.py"), key=lambda file: (not file.stem.endswith("_plugin"), file.name))
    if not found or not found[0].stem.endswith("_plugin"):
        raise ValueError(f"{hook} has no example: write one into {EXAMPLES.relative_to(ROOT) / hook}")
    return found


def _title(hook: str) -> str:
    """What the example is, from the docstring of its module of hooks."""
    return files_of(hook)[0].read_text("utf-8").split('"""')[1].strip().rstrip(".")


def _paragraphs(hook: griffe.Function, told: str) -> str:
    """The docstring, with the arguments that it describes as a list."""
    described = describe(hook, [parameter.name for parameter in hook.parameters])
    text = re.split(rf"\n\n(?=(?:{'|'.join(described) or '$^'}): )", told)[0]
    return "\n\n".join([text, *(f"- `{name}`: {text}" for name, text in described.items())])


def _fields(found: griffe.Class) -> str:
    told = describe(found, [field.name for field in fields(found)])
    rows = []
    for field in fields(found):
        value = "" if field.value is None else str(field.value)
        rows.append((f"`{field.name}`", f"`{field.annotation}`", default(value), prose(told.get(field.name, ""))))
    return f"**`mmpipe.{found.name}`**: {summary(found)}\n\n" + table(("field", "type", "default", "meaning"), rows)


def _text(found: griffe.Object) -> str:
    return found.docstring.value if found.docstring is not None else ""
