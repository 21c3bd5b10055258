"""The contract as a flat table: every public name and what it looks like, the same on every version of Python."""

from __future__ import annotations

import griffe

from contract.public import public
from contract.settings import architectures, factories
from contract.tree import entry_points, find

HOOKS, SPECS = "mmpipe.hookspecs", "mmpipe.specs"
_MARKS = {"keyword-only": "", "positional-only": "", "variadic positional": "*", "variadic keyword": "**"}


def contract() -> dict[str, str]:
    """Name -> signature, sorted: hooks, specs, public names with their methods, what is registered by name."""
    found = {"api_version": str(find(f"{HOOKS}.API_VERSION").value)}
    found |= {f"hook {hook.name}": _hook(hook) for hook in hooks()}
    first: dict[str, str] = {}
    for path in (f"{row.module}.{name}" for row in public() for name in row.names):
        thing = find(path)
        other = first.setdefault(thing.path, path)
        found |= {path: f"is {other}"} if other != path else _told(path, thing)
    for name, path in architectures():
        found[f"architecture {name}"] = signature(find(path))
    for kind, group in (("reader", "spacy_readers"), ("batcher", "spacy_batchers")):
        found |= {f"{kind} {name}": signature(find(path)) for name, path, _ in entry_points(group)}
    for factory in factories():
        found[f"factory {factory.name}"] = f"assigns {factory.assigns}, requires {factory.requires}"
        for setting in factory.settings:
            found[f"factory {factory.name}.{setting.name}"] = f"{setting.annotation} = {setting.default}"
    return dict(sorted(found.items()))


def hooks() -> list[griffe.Function]:
    """The hook specifications, in their order on the page."""
    return [f for name, f in find(HOOKS).members.items() if name.startswith("mmpipe_") and f.is_function]


def signature(function: griffe.Function, *, is_method: bool = False) -> str:
    """`(name: kind = default, *, other: kind) -> kind`, as the source spells it; without self and cls."""
    returns = f" -> {function.returns}" if function.returns is not None else ""
    return f"({', '.join(parameters(function, is_method=is_method))}){returns}"


def parameters(function: griffe.Function, *, is_method: bool = False) -> list[str]:
    """The parts of a signature, a parameter each, a lone star among them."""
    told: list[str] = []
    is_keyword = False
    for parameter in list(function.parameters)[int(is_method) :]:
        kind = parameter.kind.value
        if kind == "keyword-only" and not is_keyword:
            told.append("*")
        is_keyword |= kind in ("keyword-only", "variadic positional")
        annotation = f": {parameter.annotation}" if parameter.annotation is not None else ""
        has_default = parameter.default is not None and not kind.startswith("variadic")
        told.append(f"{_MARKS.get(kind, '')}{parameter.name}{annotation}" + (f" = {parameter.default}" * has_default))
    return told


def _hook(hook: griffe.Function) -> str:
    marked = [str(decorator.value) for decorator in hook.decorators]
    return signature(hook) + "".join(f" {mark}" for mark in marked if mark != "hookspec")


def _told(path: str, found: griffe.Object) -> dict[str, str]:
    """An object's own line, and one for each public member of a class."""
    if isinstance(found, griffe.Function):
        return {path: _function(found, is_method=False)}
    if not isinstance(found, griffe.Class):
        return {path: _attribute(found)}
    bases = f"({', '.join(map(str, found.bases))})" if found.bases else ""
    told = {path: f"class{bases} {_constructor(found)}".strip()}
    for name, member in found.members.items():
        if (name.startswith("_") and name != "__call__") or member.is_alias or member.is_class:
            continue
        is_function = isinstance(member, griffe.Function)
        told[f"{path}.{name}"] = _function(member, is_method=True) if is_function else _attribute(member)
    return told


def _constructor(found: griffe.Class) -> str:
    if "dataclass" in found.labels:
        # In their order: they can be given by place.
        return f"dataclass({', '.join(field.name for field in fields(found))})"
    init = found.members.get("__init__")
    return signature(init, is_method=True) if isinstance(init, griffe.Function) else ""


def fields(found: griffe.Class) -> list[griffe.Attribute]:
    """The fields of a dataclass or a TypedDict, in their order."""
    members = [m for m in found.members.values() if isinstance(m, griffe.Attribute) and m.annotation is not None]
    return [m for m in members if not m.name.startswith("_") and "property" not in _labels(m)]


def _labels(found: griffe.Object) -> set[str]:
    return {str(label) for label in found.labels}


def _function(found: griffe.Function, *, is_method: bool) -> str:
    labels = _labels(found)
    kind = " ".join(sorted(labels & {"classmethod", "staticmethod", "property", "cached", "abstractmethod"}))
    return f"{kind} {signature(found, is_method=is_method and 'staticmethod' not in labels)}".strip()


def _attribute(found: griffe.Object) -> str:
    """Its annotation, and its value where that is short: a default, a constant, a type's alias."""
    if "property" in _labels(found):
        return f"property {found.annotation}"
    annotation = f"{found.annotation}" if found.annotation is not None else ""
    # What an instance is given in its constructor is no constant.
    is_constant = bool(annotation) or "instance-attribute" not in _labels(found)
    value = str(found.value) if is_constant and found.value is not None else ""
    shown = f" = {value}" if value and len(value) <= 200 else ""
    return f"{annotation}{shown}".strip() or "value"
