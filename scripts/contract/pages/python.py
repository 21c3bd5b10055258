"""docs/reference/python: what is public in Python, with signatures and docstrings, a page a part of mmpipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import griffe

from contract.docstrings import told
from contract.pages.markdown import MADE
from contract.public import Row, public
from contract.signatures import fields, parameters
from contract.tree import find

_WIDTH = 100
# What stands on the page of another part: a few names each.
_GUESTS = {"document": "mmpipe", "errors": "mmpipe", "page": "mmpipe", "learning": "component"}
_ABOUT = {
    "mmpipe": "Importing `mmpipe` imports neither spaCy nor torch. The functions do, when they are called. "
    "[Hooks](../hooks.md) has the hooks, and a whole plugin for each.",
    "models": "The settings of the architectures stand in [Architectures](../architectures.md).",
    "testing": "[Testing a plugin](../../testing.md) says what each check promises.",
}


def names() -> list[str]:
    """The pages, in the order of the tables of docs/plugin-api.md."""
    return list(dict.fromkeys(map(_page_of, public())))


def page(name: str) -> str:
    title = "mmpipe" if name == "mmpipe" else f"mmpipe.{name}"
    parts = [MADE, f"# {title}", *([_ABOUT[name]] if name in _ABOUT else [])]
    parts.append(
        "What a plugin may rely on, and what may change when: [the contract with plugin authors](../../plugin-api.md)."
    )
    shown: dict[str, str] = {}
    for row in public():
        if _page_of(row) == name:
            parts += _module(row, shown)
    return "\n\n".join(part for part in parts if part) + "\n"


def _page_of(row: Row) -> str:
    part = [*row.module.split("."), "mmpipe"][1]
    return _GUESTS.get(part, part)


def _module(row: Row, shown: dict[str, str]) -> Iterator[str]:
    """The section of a module. shown: path of what stands on the page already -> the module it stands under."""
    module = find(row.module)
    yield f"## {row.module}"
    yield _prose(told(module))
    if row.imports_torch:
        yield "Importing it imports torch."
    again: dict[str, list[str]] = {}
    for name in row.names:
        thing = find(f"{row.module}.{name}")
        if thing.path in shown:
            again.setdefault(shown[thing.path], []).append(f"`{name}`")
            continue
        shown[thing.path] = row.module
        yield from _entry(name, thing)
    for other, names in again.items():
        yield f"{', '.join(names)}: as in `{other}`."


def _entry(name: str, thing: griffe.Object) -> Iterator[str]:
    yield f"### {name}"
    if isinstance(thing, griffe.Function):
        yield _code(_spelled(f"def {name}", parameters(thing), thing.returns))
    elif isinstance(thing, griffe.Class):
        yield _code(_class(name, thing))
    else:
        yield _code(_value(name, thing))
    yield _prose(told(thing))
    if isinstance(thing, griffe.Class):
        for own, member in thing.members.items():
            if isinstance(member, griffe.Function) and (own == "__call__" or not own.startswith("_")):
                yield from _method(f"{name}.{own}", member)
            elif "property" in _labels(member) and not own.startswith("_"):
                yield f"#### {name}.{own}"
                yield _code(f"{own}: {member.annotation}")
                yield _prose(told(member))


def _method(name: str, method: griffe.Function) -> Iterator[str]:
    labels = _labels(method)
    yield f"#### {name}"
    lines = [f"@{kind}" for kind in ("classmethod", "staticmethod", "abstractmethod") if kind in labels]
    own = parameters(method, is_method="staticmethod" not in labels)
    own = own if "staticmethod" in labels else ["cls" if "classmethod" in labels else "self", *own]
    yield _code("\n".join([*lines, _spelled(f"def {name.rpartition('.')[2]}", own, method.returns)]))
    yield _prose(told(method))


def _class(name: str, thing: griffe.Class) -> str:
    """Its head, what it is made with, and the attributes that its users read or set."""
    bases = f"({', '.join(map(str, thing.bases))})" if thing.bases else ""
    marks = "".join(f"@{one.value}\n" for one in thing.decorators if str(one.value).startswith("dataclass"))
    head = f"{marks}class {name}{bases}:"
    lines = [f"    {_value(field, thing.members[field])}" for field in names_of_fields(thing)]
    init = thing.members.get("__init__")
    if isinstance(init, griffe.Function) and "dataclass" not in _labels(thing):
        made = _spelled("def __init__", ["self", *parameters(init, is_method=True)], init.returns, indent="    ")
        lines += [*([""] if lines else []), made]
    return "\n".join([head, *lines]) if lines else f"{head} ..."


def names_of_fields(thing: griffe.Class) -> list[str]:
    """What stands in the body of a class with its type, and is no value that its constructor makes."""
    is_made = {field.name for field in fields(thing) if "class-attribute" not in _labels(field)}
    return [field.name for field in fields(thing) if "dataclass" in _labels(thing) or field.name not in is_made]


def _spelled(head: str, parts: Sequence[str], returns: object, indent: str = "") -> str:
    """A signature, on one line or a parameter a line."""
    end = f" -> {returns}" if returns is not None else ""
    line = f"{indent}{head}({', '.join(parts)}){end}: ..."
    if len(line) <= _WIDTH:
        return line
    inner = "".join(f"{indent}    {part},\n" for part in parts)
    return f"{indent}{head}(\n{inner}{indent}){end}: ..."


def _value(name: str, thing: griffe.Object) -> str:
    """`name: type = value`; the value where it is short, or a choice, of which a longer one has a line a member."""
    annotation = f": {thing.annotation}" if getattr(thing, "annotation", None) is not None else ""
    value = str(thing.value) if getattr(thing, "value", None) is not None else ""
    if len(value) > _WIDTH:
        choice = re.fullmatch(r"Literal\[(.*)\]", value, re.DOTALL)
        lines = [f"    {one.strip()},\n" for one in choice[1].split(",")] if choice else []
        value = f"Literal[\n{''.join(lines)}]" if lines else ""
    return f"{name}{annotation}{f' = {value}' if value else ''}"


def _labels(thing: griffe.Object) -> set[str]:
    return {str(label) for label in thing.labels}


def _prose(text: str) -> str:
    """With the names of ours as code, outside of listings and of what is code already."""
    parts = text.split("\n\n")
    return "\n\n".join(
        part if part.startswith("    ") else re.sub(r"(?<![`\w/.\"@-])(mmpipe(?:\.\w+)+)(?![\w`\"/-])", r"`\1`", part)
        for part in parts
    )


def _code(text: str) -> str:
    """A listing, with quotes and powers as our formatter has them."""
    quoted = re.sub(r"'([^'\"\\\n]*)'", r'"\1"', text).replace(" ** ", "**")
    return f"```python\n{quoted}\n```"
