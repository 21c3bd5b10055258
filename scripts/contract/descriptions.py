"""Descriptions of parameters and fields, from the house's docstrings.

A docstring says `name, other: text`, at the start of a line or behind a full stop. `see mmpipe.x.Y` stands for what Y
says of the name; `first ... last` for all parameters from one to the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import griffe

from contract.tree import find


def summary(found: griffe.Object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(_text(found).split("\n\n")[0].split())


def describe(found: griffe.Object, names: Sequence[str]) -> dict[str, str]:
    """Name -> text, for those of the names that the docstring describes, or that of a base class."""
    return {name: _followed(text, name, where) for name, (text, where) in _described(found, names).items()}


def _described(found: griffe.Object, names: Sequence[str]) -> dict[str, tuple[str, griffe.Object]]:
    """Name -> text as it stands, and the object in whose docstring it does."""
    told: dict[str, tuple[str, griffe.Object]] = {}
    for base in found.bases if isinstance(found, griffe.Class) else ():
        if (of_base := _resolved(str(base), found)) is not None:
            told |= _described(of_base, names)
    own: dict[str, tuple[str, griffe.Object]] = {}
    starts = entries(_text(found), names)
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else None
        text = _text(found)[start.end() : end].split("\n\n")[0]
        # What no longer belongs to the entry begins a line of its own, unindented.
        text = re.split(r"\n(?=(?:Raises|Output|A |An |The |Each |Yields)\b)", text)[0]
        for name in _expanded(start.group(1), names):
            own.setdefault(name, (" ".join(text.split()).rstrip(",;"), found))
    return told | own


def entries(text: str, names: Sequence[str]) -> list[re.Match[str]]:
    """Where the descriptions of names begin in a text; group 1 is the names."""
    any_name = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    if not any_name:
        return []
    many = rf"(?:{any_name})(?:(?:, | \.\.\. | and )(?:{any_name}))*"
    return list(re.finditer(rf"(?:^ *|(?<=[.;] )|(?<=[.;]\n))({many}):\s", text, flags=re.MULTILINE))


def _expanded(told: str, names: Sequence[str]) -> list[str]:
    if " ... " in told:
        first, last = (names.index(name) for name in told.split(" ... "))
        return list(names[first : last + 1])
    return re.split(r", | and ", told)


def _followed(text: str, name: str, found: griffe.Object) -> str:
    """`see X; more` with what X says of the name in its place."""
    see = re.match(r"(?:[^;.]*; )?see ([\w.]*\w)", text)
    if see is None:
        return text
    said = text[: see.start(1) - len("see ")].strip(" ;")
    rest = text[see.end() :].lstrip(".; ")
    target = find(see.group(1)) or _resolved(see.group(1), found)
    if target is None:
        return text
    if isinstance(target, griffe.Attribute):
        there = " ".join(_text(target).split()) if not said else ""
    else:
        text_there, where = _described(target, _described_names(target)).get(name, ("", target))
        there = _followed(text_there, name, where)
    if not there:
        return text
    return "; ".join(part.rstrip(".") for part in (said, there, rest) if part) + "."


def _described_names(found: griffe.Object) -> list[str]:
    """The names that a docstring may describe: parameters of a function, fields and constructor's of a class."""
    if isinstance(found, griffe.Function):
        return [parameter.name for parameter in found.parameters]
    init = found.members.get("__init__")
    return [*found.members, *(_described_names(init) if isinstance(init, griffe.Function) else ())]


def _resolved(name: str, found: griffe.Object) -> griffe.Object | None:
    try:
        return find(found.module.resolve(name.split(".")[0]) + name[len(name.split(".")[0]) :])
    except griffe.NameResolutionError:
        return None


def _text(found: griffe.Object) -> str:
    return found.docstring.value if found is not None and found.docstring is not None else ""
