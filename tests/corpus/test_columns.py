"""Columns: inferred from a sample, kept in a manifest, and nothing of a result is lost between them and `_more`."""

from __future__ import annotations

from typing import Any

import pytest

from mmpipe.column_types import infer
from mmpipe.corpus.columns import Columns, unfold


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "int"),
        ([1, 2.5, None], "float"),
        ([True, False], "bool"),
        ([True, 1], "json"),
        (["a", None], "string"),
        (["a", 1], "json"),
        ([None], "json"),
        ([], "json"),
        ([2**63], "json"),
        (["\ud800"], "json"),
        ([["a"], []], ["string"]),
        ([[], None], "json"),
        ([[1, 2.5]], ["float"]),
        ([[1], ["a"]], ["json"]),
        ([[[1]], [[]]], [["int"]]),
        ([{"a": 1}, {"b": "x", "a": 2.5}], {"a": "float", "b": "string"}),
        ([{}], "json"),
        ([{"a": None}], {"a": "json"}),
        ([{"": 1}], "json"),
        ([{"*": 1}], "json"),
        ([{"a": 1}, 2], "json"),
        ([{str(n): 1 for n in range(100)}], "json"),
        ([{str(n): 1 for n in range(60)}, {str(n): 1 for n in range(50, 100)}], "json"),
        ([[[[[[[[[[1]]]]]]]]]], [[[[[[[["json"]]]]]]]]),
    ],
)
def test_inferred(values: list[Any], kind: Any) -> None:
    assert infer(values) == kind


def test_of_records_and_fields() -> None:
    records = [{"text": "a", "stars": 4}, {"id": "x", "stars": 4.5, "sentiment": 1, "_more": 2, "": 3}]
    fields = {"sentiment": {"label": "string", "scores": {"*": "float"}}, "summary": ["string"]}
    columns = Columns.of(records, fields)
    assert columns.pairs == (("id", "string"), ("text", "string"), ("stars", "float"), *fields.items())
    assert Columns.of([], {}).pairs == ()


@pytest.mark.parametrize("kind", ["text", "", None, [], ["int", "int"], {}, {"*": "int", "a": "int"}, {"a": "text"}, 1])
def test_no_types(kind: Any) -> None:
    with pytest.raises(ValueError, match="no type of a column"):
        Columns.of([], {"field": kind})


@pytest.mark.parametrize("pairs", [(("", "int"),), (("_more", "int"),), (("a", "int"), ("a", "int")), ((1, "int"),)])
def test_no_names(pairs: Any) -> None:
    with pytest.raises(ValueError, match="cannot name a column"):
        Columns(pairs)


@pytest.mark.parametrize(
    "spelled", [{}, {"columns": 1}, {"columns": [["a", {"heap": "int"}]]}, {"columns": [["a", 1]]}]
)
def test_no_manifest(spelled: Any) -> None:
    with pytest.raises(ValueError, match="no columns of a table"):
        Columns.from_dict(spelled)


@pytest.mark.parametrize(
    ("kind", "value", "is_fit"),
    [
        ("int", 2**63 - 1, True),
        ("int", 2**63, False),
        ("int", True, False),
        ("int", 1.0, False),
        ("float", 1, True),
        ("float", 2**53 + 1, False),
        ("float", True, False),
        ("bool", 1, False),
        ("string", 1, False),
        ("string", "\udc80", False),
        (["int"], [1, None], True),
        (["int"], [1, "a"], False),
        ({"*": "int"}, {}, True),
        ({"*": "int"}, {"a": None, "": 1}, True),
        ({"*": "int"}, {"\ud800": 1}, False),
        ({"*": "int"}, [1], False),
        ({"a": "int"}, {}, True),
        ({"a": "int"}, {"a": 1, "b": 2}, False),
        ({"a": ["int"]}, {"a": [1.5]}, False),
        ("json", {"": [1, "a"]}, True),
    ],
)
def test_what_fits(kind: Any, value: Any, is_fit: bool) -> None:
    values, more = Columns((("x", kind),)).split({"x": value})
    assert (values, more) == (([value], {}) if is_fit else ([None], {"x": value}))


@pytest.mark.parametrize(
    "row", [{"_more": '{"a": 1}', "b": 2}, {"a": 1, "_more": "text"}, {"_more": "[1]"}, {"_more": 5}, {"_more": "{"}]
)
def test_a_more_that_is_not_ours_stays(row: dict[str, Any]) -> None:
    assert unfold(dict(row)) == row
