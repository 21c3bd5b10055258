"""Round trips: what a writer wrote, its reader gives back, and equal results are equal bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmpipe.corpus.columns import Columns, as_json, unfold
from mmpipe.corpus.source import Item, find_inputs
from mmpipe.plugins import discover

PLUGINS = discover(environ={"MMPIPE_PLUGINS": ""})
WRITERS = {spec.name: spec for spec in PLUGINS.all("writers")}
TYPED = ["parquet", "arrow"]
QUIET = settings(
    derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None, max_examples=60
)
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=8) | st.sampled_from(
    ["", " ", '"', "a,b", "a\r\nb", "\0", "null", "1", "\ufeffa", ";"]
)
KEYS = st.sampled_from(["id", "text", "a", "b", "a;b", "x\ty", "_more", "", "*"]) | st.text(CHARACTERS, max_size=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.just("\ud800")
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
RECORDS = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=4)
NAMES = st.sampled_from(["a", "b", "label", "score", "x y", "Ünï"])
TYPE = st.recursive(
    st.sampled_from(["string", "int", "float", "bool", "json"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=1)
        | st.fixed_dictionaries({"*": inner})
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
TYPES = st.dictionaries(NAMES, TYPE, max_size=3)


def written(name: str, results: Sequence[dict[str, Any]], columns: Columns) -> bytes:
    stream = io.BytesIO()
    writer = PLUGINS.code("writers", name)(stream, columns)
    for result in results:
        writer.write(result)
    writer.close()
    assert not stream.closed
    return stream.getvalue()


def items(path: Path, **options: Any) -> list[Item]:
    (given,) = find_inputs([str(path)], PLUGINS, **options)
    return list(given)


def read_back(folder: Path, name: str, data: bytes, reader: str | None = None) -> list[dict[str, Any]]:
    path = folder / f"out{WRITERS[name].suffixes[0]}"
    path.write_bytes(data)
    found = items(path, reader=reader)
    assert all(item.error is None for item in found), found
    return [item.record for item in found]


def padded(value: Any, kind: Any) -> Any:
    """The value as a typed table gives it back: keys of structs that were not there are null."""
    if value is None or isinstance(kind, str):
        return value
    if isinstance(kind, list):
        return [padded(one, kind[0]) for one in value]
    if "*" in kind:
        return {key: padded(one, kind["*"]) for key, one in value.items()}
    return {key: padded(value.get(key), part) for key, part in kind.items()}


@pytest.mark.parametrize("name", ["jsonl", "json"])
@given(records=RECORDS)
@QUIET
def test_json_there_and_back(name: str, records: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    data = written(name, records, Columns(()))
    assert read_back(tmp_path_factory.getbasetemp(), name, data) == records
    assert data == written(name, records, Columns(()))


@pytest.mark.parametrize("name", TYPED)
@given(sample=RECORDS, more=RECORDS, fields=TYPES)
@QUIET
def test_typed_tables_there_and_back(
    name: str, sample: list[Any], more: list[Any], fields: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns, results = Columns.of(sample, fields), [*sample, *more]
    data = written(name, results, columns)
    wanted = []
    for result in results:
        values, rest = columns.split(result)
        wanted.append(
            {key: padded(value, kind) for (key, kind), value in zip(columns.pairs, values, strict=True)} | rest
        )
    assert read_back(tmp_path_factory.getbasetemp(), name, data) == wanted
    assert data == written(name, results, columns)


@pytest.mark.parametrize("name", ["csv", "tsv"])
@given(sample=RECORDS, more=RECORDS, fields=TYPES)
@QUIET
def test_text_tables_there_and_back(
    name: str, sample: list[Any], more: list[Any], fields: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns, results = Columns.of(sample, fields), [*sample, *more]
    data = written(name, results, columns)
    found = read_back(tmp_path_factory.getbasetemp(), name, data)
    assert len(found) == len(results)
    for record, result in zip(found, results, strict=True):
        values, rest = columns.split(result)
        for (key, kind), value in zip(columns.pairs, values, strict=True):
            if value is None:
                assert key in rest or record[key] == ""
            elif kind == "string":
                assert record[key] == value
            else:
                assert json.loads(record[key]) == value
        assert all(record[key] == value for key, value in rest.items())
        assert record.keys() == {*columns.names, *rest}


@given(records=RECORDS, fields=TYPES)
@QUIET
def test_a_manifest_keeps_them(records: list[dict[str, Any]], fields: dict[str, Any]) -> None:
    columns = Columns.of(records, fields)
    stored = json.dumps(columns.as_dict(), sort_keys=True)
    again = Columns.from_dict(json.loads(stored))
    assert again == columns and repr(again) == repr(columns)


@given(sample=RECORDS, records=RECORDS, fields=TYPES)
@QUIET
def test_nothing_is_lost(sample: list[dict[str, Any]], records: list[dict[str, Any]], fields: dict[str, Any]) -> None:
    columns = Columns.of(sample, fields)
    for record in [*sample, *records]:
        values, more = columns.split(record)
        row = {**dict(zip(columns.names, values, strict=True)), "_more": as_json(more)}
        assert unfold(row) == dict.fromkeys(columns.names) | record
