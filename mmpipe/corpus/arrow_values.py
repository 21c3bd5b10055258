"""Between the values of Arrow and of JSON, by type; made once a column, so that each value costs little."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from mmpipe.column_types import Type
from mmpipe.corpus.columns import as_json

Value = Callable[[Any], Any] | None
"""Converts one value; None where it is well as it is."""
METADATA = b"mmpipe.columns"
"""The key of a file's metadata that has its columns, as Columns.as_dict gives them."""
_SCALARS = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "json": pa.string()}


def schema_of(pairs: Iterable[tuple[str, Type]], metadata: Mapping[bytes, bytes]) -> pa.Schema:
    """The schema of columns and their types; every one of them admits nulls."""
    return pa.schema([pa.field(name, _arrow_type(kind)) for name, kind in pairs], metadata=dict(metadata))


def to_arrow(kind: Type) -> Value:
    """What pyarrow makes an array of, from a value that fits the type. Raises ValueError or TypeError: no JSON data."""
    if isinstance(kind, str):
        return as_json if kind == "json" else None
    if isinstance(kind, list):
        item = to_arrow(kind[0])
        return None if item is None else lambda value: [_apply(item, one) for one in value]
    if "*" in kind:
        item = to_arrow(kind["*"])
        return lambda value: [(key, _apply(item, one)) for key, one in value.items()]
    parts = {key: to_arrow(part) for key, part in kind.items()}
    return lambda value: {key: _apply(parts[key], one) for key, one in value.items()}


def from_arrow(kind: pa.DataType, ours: Type | None = None) -> Value:
    """What JSON has for a value of that type, as pyarrow's `as_py` gives it.

    ours: its type in Columns, where mmpipe wrote it; what is JSON text is then read.
    """
    types = pa.types
    if ours == "json":
        return _or_null(json.loads)
    if isinstance(kind, pa.BaseExtensionType):
        return from_arrow(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return from_arrow(kind.value_type)
    if types.is_map(kind):
        item = from_arrow(kind.item_type, ours.get("*") if isinstance(ours, dict) else None)
        return _or_null(lambda value: _object([(key, _apply(item, one)) for key, one in value]))
    if types.is_struct(kind):
        given = ours if isinstance(ours, dict) else {}
        parts = {field.name: from_arrow(field.type, given.get(field.name)) for field in kind}
        return _or_null(lambda value: {key: _apply(parts[key], one) for key, one in value.items()})
    if hasattr(kind, "value_type"):  # Lists of every kind.
        item = from_arrow(kind.value_type, ours[0] if isinstance(ours, list) else None)
        return None if item is None else _or_null(lambda value: [_apply(item, one) for one in value])
    return _of_scalar(kind)


def _of_scalar(kind: pa.DataType) -> Value:
    types = pa.types
    if types.is_floating(kind):
        return lambda value: None if value is None or math.isnan(value) else float(value)
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return _or_null(lambda value: value.isoformat())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return _or_null(lambda value: base64.b64encode(value).decode("ascii"))
    is_json = types.is_integer(kind) or types.is_boolean(kind) or types.is_string(kind) or types.is_null(kind)
    return None if is_json or types.is_large_string(kind) else _or_null(str)


def _arrow_type(kind: Type) -> pa.DataType:
    if isinstance(kind, str):
        return _SCALARS[kind]
    if isinstance(kind, list):
        return pa.list_(_arrow_type(kind[0]))
    if "*" in kind:
        return pa.map_(pa.string(), _arrow_type(kind["*"]))
    return pa.struct([pa.field(key, _arrow_type(part)) for key, part in kind.items()])


def _apply(convert: Value, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def _or_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _object(pairs: list[tuple[Any, Any]]) -> Any:
    """A map as an object, if its keys are strings."""
    return dict(pairs) if all(isinstance(key, str) for key, _ in pairs) else [list(pair) for pair in pairs]
