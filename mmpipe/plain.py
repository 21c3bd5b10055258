"""Plain JSON data: what a record and a result may hold, for it survives `Doc.to_bytes`, `DocBin` and JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mmpipe.errors import RecordError

MAX_DEPTH = 100
"""Levels of lists and objects in a record. What `Doc.to_bytes` writes with can read 500."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def plain(value: Any, where: str, name: str | None = None, depth: int = 0) -> Any:
    """A copy of the value, if it is JSON data with finite numbers; tuples become lists.

    where, name: what an error calls the record and the value. depth: levels above this one.
    Raises RecordError for anything else: what JSON or 64 bits cannot hold, and more than `MAX_DEPTH` levels.
    """
    if depth > MAX_DEPTH:
        raise RecordError(f"{name or 'a value'} is nested more than {MAX_DEPTH} levels deep", where=where)
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _unicode(value, name, where)
    if value is None or kind is bool:
        return value
    if kind is dict:
        result = {}
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                key = _key(key, name, value, where)
            kind = type(item)
            # What most values are, without a call.
            if not (
                (kind is str and item.isascii())
                or (kind is int and -(2**63) <= item < 2**64)
                or kind is bool
                or item is None
            ):
                item = plain(item, where, name or key, depth + 1)
            result[key] = item
        return result
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(f"{name or 'a value'} is {value}, which JSON cannot hold", where=where)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise RecordError(f"{name or 'a value'} is {value}, an integer of more than 64 bits", where=where)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _unicode(value, name, where)
    if isinstance(value, list | tuple):
        return [plain(item, where, name, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return plain(dict(value), where, name, depth)
    raise RecordError(f"{name or 'a value'} holds {shown(value)}, which is not JSON data", where=where)


def _key(key: Any, name: str | None, of: Any, where: str) -> str:
    if not isinstance(key, str):
        raise RecordError(f"{name or 'a value'} holds {shown(of)}, which is not JSON data", where=where)
    return _unicode(key, "a key", where)


def _unicode(text: str, name: str | None, where: str) -> str:
    check_unicode(text, name if name in (None, "a key") else repr(name), where)
    return text


def dumps(result: Mapping[str, Any]) -> str:
    """One line of JSON: UTF-8 as it is, no NaN."""
    return _ENCODER.encode(result)


def shown(value: Any) -> str:
    """A value in an error: its type and how it begins."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def check_unicode(text: str, name: str | None, where: str) -> None:
    """Raises RecordError where the text holds half a surrogate pair, which UTF-8 cannot."""
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{name or 'a value'} holds half a surrogate pair at character {error.start}: {text[error.start]!r}",
            where=where,
            next_step="encode the file as UTF-8, or replace that character",
        ) from None


def is_text(value: Any) -> bool:
    """A string that UTF-8 can hold."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value))
