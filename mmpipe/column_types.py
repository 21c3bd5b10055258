"""What a column of a table can hold: types, what fits them, and the type that fits a sample of values.

A type is "string" | "int" | "float" | "bool" | "json" | [type] | {"*": type} (a map of strings) | {key: type, ...}
(a struct). "int" has 64 bits. "json" holds anything, as JSON text.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mmpipe.plain import is_text

Type = str | list[Any] | dict[str, Any]
MAX_STRUCT_KEYS, MAX_DEPTH = 64, 8
"""A value with more keys, or nested deeper, is inferred as "json"."""
_SCALARS = ("string", "int", "float", "bool", "json")
# Of a key or a list whose values were all null: it gives way to any other type.
_NOTHING = "nothing"


def fits(value: Any, kind: Type) -> bool:
    """Whether a column of that type can hold the value. What is no JSON data fits "json", and cannot be written."""
    if value is None or kind == "json":
        return True
    if isinstance(kind, str):
        return _fits_scalar(value, kind)
    if isinstance(kind, list):
        return isinstance(value, list | tuple) and all(fits(item, kind[0]) for item in value)
    if not isinstance(value, Mapping) or not all(is_text(key) for key in value):
        return False
    if "*" in kind:
        return all(fits(item, kind["*"]) for item in value.values())
    return value.keys() <= kind.keys() and all(fits(item, kind[key]) for key, item in value.items())


def infer(values: Iterable[Any]) -> Type:
    """The narrowest type for all values: ints and floats widen; what is mixed, or only null, is "json"."""
    return _settled(functools.reduce(_merged, map(_type_of, values), _NOTHING))


def is_name(name: Any) -> bool:
    """Whether a column or a key of a struct may be called so."""
    return is_text(name) and name != "" and "\0" not in name


def check(kind: Any, where: str) -> None:
    """Raises ValueError, naming `where`, where it is no type."""
    inner = [(where, part) for part in kind] if isinstance(kind, list) else []
    if isinstance(kind, dict):
        inner = [(f"{where}.{key}", part) for key, part in kind.items()]
    is_right = kind in _SCALARS if isinstance(kind, str) else bool(inner)
    if isinstance(kind, list):
        is_right = len(kind) == 1
    elif isinstance(kind, dict):
        is_right = is_right and all(map(is_name, kind)) and ("*" not in kind or len(kind) == 1)
    if not is_right:
        known = f"{', '.join(_SCALARS)}, [type], {{'*': type}} and {{key: type, ...}}"
        raise ValueError(f"{where}: {kind!r} is no type of a column; types are {known}")
    for place, part in inner:
        check(part, place)


def spell(kind: Type) -> Any:
    """A type as JSON data that keeps its meaning where the keys of objects are sorted."""
    if isinstance(kind, list):
        return {"list": spell(kind[0])}
    if isinstance(kind, dict):
        parts = [[key, spell(part)] for key, part in kind.items()]
        return {"map": parts[0][1]} if "*" in kind else {"struct": parts}
    return kind


def read_spelled(spelled: Any) -> Type:
    """What `spell` gave. Raises KeyError, TypeError or ValueError where it is not that."""
    if isinstance(spelled, str):
        return spelled
    ((how, what),) = spelled.items()
    if how == "struct":
        return {key: read_spelled(part) for key, part in what}
    return {"list": [read_spelled(what)], "map": {"*": read_spelled(what)}}[how]


def _fits_scalar(value: Any, kind: str) -> bool:
    if kind == "string":
        return is_text(value)
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and -(2**63) <= value < 2**63
    return abs(value) <= 2**53 if isinstance(value, int) else isinstance(value, float) and math.isfinite(value)


def _type_of(value: Any, depth: int = 0) -> Type:
    if value is None:
        return _NOTHING
    for python, kind in ((bool, "bool"), (str, "string"), (float, "float"), (int, "int")):
        if isinstance(value, python):
            return kind if fits(value, kind) else "json"
    if depth == MAX_DEPTH:
        return "json"
    if isinstance(value, list | tuple):
        return [functools.reduce(_merged, (_type_of(item, depth + 1) for item in value), _NOTHING)]
    # "*" marks a map, so that a struct cannot have it.
    if isinstance(value, Mapping) and len(value) <= MAX_STRUCT_KEYS and all(is_name(k) and k != "*" for k in value):
        return {key: _type_of(item, depth + 1) for key, item in value.items()}
    return "json"


def _merged(one: Type, other: Type) -> Type:
    if _NOTHING in (one, other):
        return other if one == _NOTHING else one
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: _merged(one.get(key, _NOTHING), other.get(key, _NOTHING)) for key in {**one, **other}}
        return both if len(both) <= MAX_STRUCT_KEYS else "json"
    if one == other:
        return one
    return "float" if one in ("int", "float") and other in ("int", "float") else "json"


def _settled(kind: Type) -> Type:
    """Without _NOTHING, and without what no table can hold, a struct of no keys."""
    if isinstance(kind, list):
        return "json" if kind[0] == _NOTHING else [_settled(kind[0])]
    if isinstance(kind, dict):
        return {key: _settled(value) for key, value in kind.items()} or "json"
    return "json" if kind == _NOTHING else kind
