"""Pieces of a page: tables, and what kind of value a setting takes, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import griffe

from contract.settings import Setting
from contract.tree import find

MADE = "<!-- Made by `python scripts/reference.py` from the code. Change the docstring or the help text there. -->"
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "min_length": "at least {}"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Raises ValueError where the last cell of a row, its description, is empty."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        if not row[-1].strip():
            raise ValueError(f"{row[0]} is not described: add it to the docstring or the help text")
        lines.append(f"| {' | '.join(_cell(text) for text in row)} |")
    return "\n".join(lines)


def settings_table(settings: Iterable[Setting], module: griffe.Module) -> str:
    """A row a setting: name, kind, default, description."""
    return table(
        ("setting", "value", "default", "meaning"),
        ((f"`{s.name}`", kind(s.annotation, module), default(s.default), prose(s.description)) for s in settings),
    )


def default(value: str) -> str:
    return {"": "required", "None": "none", "True": "`true`", "False": "`false`"}.get(value, f"`{value}`")


def prose(text: str) -> str:
    """A description as a cell has it: a capital first, a full stop last, names of ours as code."""
    text = re.sub(r"(?<![`\w/.\"])((?:mmpipe|mmpipe_\w+)(?:\.\w+)+)(?![\w`\"])", r"`\1`", text)
    if re.match(r"[a-z]+\b", text):  # Not spaCy.
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def kind(annotation: str, module: griffe.Module) -> str:
    """An annotation in words: `Annotated[int, Field(ge=1)] | None` is "whole number, at least 1; none"."""
    annotation = _expanded(annotation, module)
    annotation = re.sub(r"Annotated\[dict\[str, Any\], CheckedAs\((\w+)\)\]", "table", annotation)
    annotation = re.sub(
        r"Annotated\[(\w+(?:\[\w+\])?), Field\(([^)]*)\)\]", lambda m: f"{m[1]}{_bounds(m[2])}", annotation
    )
    annotation = re.sub(
        r"Literal\[([^\]]*)\]", lambda m: " / ".join(f"`{value.strip()}`" for value in m[1].split(",")), annotation
    ).replace("'", '"')
    words = {
        r"dict\[.*\]": "table",
        r"list\[str\]": "list of texts",
        r"list\[int\]": "list of whole numbers",
        r"Model(\[.*\])?": "model block",
        r"\bstr\b": "text",
        r"\bint\b": "whole number",
        r"\bfloat\b": "number",
        r"\bbool\b": "`true` / `false`",
        r"\bNone\b": "none",
        r"\bPath\b": "path",
        r"\bAny\b": "any",
        r"\bBlock\b|\bNlpSection\b": "table",
    }
    for pattern, word in words.items():
        annotation = re.sub(pattern, word, annotation)
    return annotation.replace(" | ", "; ")


def _expanded(annotation: str, module: griffe.Module) -> str:
    """With names of aliases, such as LongText, replaced by what they stand for."""
    for name in set(re.findall(r"\b[A-Z]\w+\b", annotation)) - {
        "Annotated",
        "Literal",
        "Field",
        "Any",
        "None",
        "Model",
    }:
        try:
            found = find(module.resolve(name))
        except griffe.NameResolutionError:
            continue
        if isinstance(found, griffe.Class) and "TypedDict" in map(str, found.bases):
            annotation = re.sub(rf"\b{name}\b", "table", annotation)
        value = str(found.value) if isinstance(found, griffe.Attribute) else ""
        if value.startswith(("Literal[", "Annotated[", "dict[")):
            annotation = re.sub(rf"\b{name}\b", lambda _, value=value: value, annotation)
    return annotation


def _bounds(text: str) -> str:
    told = [_BOUNDS[key].format(value) for key, value in (pair.strip().split("=") for pair in text.split(","))]
    return ", " + " and ".join(told)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
