"""The columns of a table of results, fixed before the first row: their names, types and order.

A table has one more column than these, `_more`: JSON text of whatever of a result has no column, or does not fit its
column's type, which is in the language of a component's `result_type`: "string" | "int" | "float" | "bool" | "json" |
[type] | {"*": type} | {key: type, ...}. So nothing is lost and no row breaks a file. Readers fold `_more` back, and
give the records that were written, with these exceptions:

- a key that a record lacks comes back with null, at its top and in structs, and keys come in the columns' order;
- an integer in a column of floats comes back as a float of the same value;
- in CSV and TSV every value is a string: what is none stands as JSON and comes back as that text, null as "".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmpipe.column_types import Type, check, fits, infer, is_name, read_spelled, spell
from mmpipe.corpus.jsonl import encode

MORE = "_more"
logger = logging.getLogger("mmpipe")


@dataclass(frozen=True)
class Columns:
    """pairs: (name, type) of each column, in order, without `_more`.

    owners: the component that says what a column holds, for those of which one does.
    Raises ValueError for what is no name or no type, and for a name that stands twice.
    """

    pairs: tuple[tuple[str, Type], ...]
    owners: Mapping[str, str] = field(default_factory=dict, compare=False)
    _told: set[str] = field(default_factory=set, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, kind in self.pairs:
            if not is_name(name) or name == MORE or self.names.count(name) > 1:
                raise ValueError(f"{name!r} cannot name a column: it is empty, taken, or no text")
            check(kind, name)

    @classmethod
    def of(
        cls, records: Sequence[Mapping[str, Any]], fields: Mapping[str, Type], owners: Mapping[str, str] | None = None
    ) -> Columns:
        """The columns of results: `id`, the records' other keys in the order of their first appearance, the fields.

        records: a sample, to infer types from: ints and floats widen, and what is mixed or only null is "json".
        fields: what components add, and its types. owners: see the class. Raises ValueError where one is no type.
        """
        seen = dict.fromkeys(key for record in records for key in record)
        names = [*(["id"] if "id" in seen else []), *(name for name in seen if name != "id")]
        passing = [name for name in names if name not in fields and is_name(name) and name != MORE]
        inferred = [(name, infer(record.get(name) for record in records)) for name in passing]
        return cls((*inferred, *fields.items()), owners or {})

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.pairs]

    def as_dict(self) -> dict[str, Any]:
        """As JSON data that keeps its meaning where the keys of objects are sorted."""
        owners = {"owners": dict(self.owners)} if self.owners else {}
        return {"columns": [[name, spell(kind)] for name, kind in self.pairs], **owners}

    @classmethod
    def from_dict(cls, spelled: Mapping[str, Any]) -> Columns:
        """What `as_dict` gave. Raises ValueError where it is not that."""
        try:
            pairs = tuple((name, read_spelled(kind)) for name, kind in spelled["columns"])
            return cls(pairs, dict(spelled.get("owners", {})))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"these are no columns of a table: {error}") from None

    def split(self, result: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """A value a column, None where the result has none that fits; and the rest of the result, for `_more`.

        Warns, once a column, of a component whose result is not what it says.
        """
        more, values = dict(result), []
        for name, kind in self.pairs:
            value = result.get(name)
            is_fit = fits(value, kind)
            values.append(value if is_fit else None)
            if is_fit:
                more.pop(name, None)
            elif name in self.owners and name not in self._told:
                self._told.add(name)
                logger.warning(
                    "components.%s: a result is no %s, which it says the column %r holds; such results stand in %r",
                    *(self.owners[name], json.dumps(kind), name, MORE),
                )
        return values, more


def as_json(value: Any) -> str:
    """JSON text that UTF-8 can hold. Raises ValueError or TypeError where the value is not JSON data."""
    return encode(value).decode("utf-8")


def unfold(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a record: what its last column holds, if that is `_more`, stands in its places."""
    if not row or next(reversed(row)) != MORE:
        return row
    try:
        more = json.loads(row[MORE]) if row[MORE] else {}
    except (ValueError, TypeError, RecursionError):
        return row
    return {name: value for name, value in row.items() if name != MORE} | more if isinstance(more, dict) else row
