"""`mmpipe run` into tables: the columns that were promised, and results that are not what their component declares."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest
from spacy.language import Language
from spacy.tokens import Doc

import mmpipe as library


class Counted:
    """Writes {"count": ...} to its field, and says what type it is."""

    result_type: ClassVar[Any] = {"count": "string"}

    def __init__(self, field: str) -> None:
        self.field = field
        if not Doc.has_extension(field):
            Doc.set_extension(field, default=None)

    def __call__(self, doc: Doc) -> Doc:
        doc._.set(self.field, {"count": len(doc) if doc.text != "none" else None})
        return doc


class Untyped(Counted):
    result_type: ClassVar[Any] = {"count": "number"}


class Typed(Counted):
    result_type: ClassVar[Any] = {"count": "int"}


@pytest.fixture(scope="module", autouse=True)
def _components() -> None:
    for kind in (Counted, Untyped, Typed):
        options: dict[str, Any] = {"assigns": ["doc._.table_n"], "default_config": {"field": "table_n"}}
        Language.factory(f"table_{kind.__name__}", **options, func=_of(kind))


def _of(kind: type[Counted]) -> Callable[..., Counted]:
    def make(nlp: Language, name: str, field: str) -> Counted:
        return kind(field)

    return make


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("Counted", "Untyped", "Typed"):
        tree = {"nlp": {"lang": "en", "pipeline": ["n"]}, "components": {"n": {"factory": f"table_{kind}"}}}
        Path(f"{kind}.json").write_text(json.dumps(tree))
    Path("in.jsonl").write_text('{"text": "one two"}\n{"text": "none"}\n{"text": "three"}\n')


def rows(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_ids_have_their_column_where_the_records_have_none(mmpipe: Callable) -> None:
    assert mmpipe("run", "Typed.json", "in.jsonl", "-o", "out.csv").code == 0
    assert [(row["id"], row["text"], row["_more"]) for row in rows("out.csv")] == [
        ("in.jsonl:1", "one two", ""),
        ("in.jsonl:2", "none", ""),
        ("in.jsonl:3", "three", ""),
    ]
    assert Path("out.csv").read_text().startswith("id,text,table_n,_more\n")
    assert mmpipe("run", "Typed.json", "in.jsonl", "-o", "out.parquet").code == 0
    table = pq.read_table("out.parquet")
    assert table.column_names == ["id", "text", "table_n", "_more"]
    assert table["id"].to_pylist() == ["in.jsonl:1", "in.jsonl:2", "in.jsonl:3"]


def test_a_field_that_was_renamed_has_one_column(mmpipe: Callable) -> None:
    assert mmpipe("run", "Typed.json", "in.jsonl", "-o", "out.csv", "--components.n.field=table_m").code == 0
    assert list(rows("out.csv")[0]) == ["id", "text", "table_m", "_more"]


@pytest.mark.parametrize("options", [(), ("--shard-size", 1)])
def test_results_of_another_type_are_kept_and_said_once(mmpipe: Callable, options: tuple[Any, ...]) -> None:
    output = ("out", "--format", ".csv") if options else ("out.csv",)
    found = mmpipe("run", "Counted.json", "in.jsonl", "-o", *output, *options)
    assert found.code == 0, found.err
    told = [line for line in found.err.splitlines() if "components.n" in line]
    assert len(told) == 1, found.err
    assert "'table_n'" in told[0] and '{"count": "string"}' in told[0] and "'_more'" in told[0]
    files = sorted(Path("out").glob("*.csv")) if options else [Path("out.csv")]
    found = [row for file in files for row in rows(str(file))]
    assert [json.loads(row["_more"] or "{}") for row in found] == [
        {"table_n": {"count": 2}},
        {},
        {"table_n": {"count": 1}},
    ]
    assert "components.n" not in mmpipe("run", "Typed.json", "in.jsonl", "-o", "good.csv").err


def test_a_type_that_is_none_is_refused_before_the_run(mmpipe: Callable) -> None:
    for arguments in (("validate", "Untyped.json"), ("run", "Untyped.json", "in.jsonl", "-o", "out.jsonl")):
        found = mmpipe(*arguments)
        assert found.code == 3, found.err
        assert "components.n: result_type.count: 'number' is no type of a column; types are string, int" in found.err
        assert "mend result_type of Untyped" in found.err
    with pytest.raises(library.PluginError, match=r"result_type\.count"):
        library.load("Untyped.json")


def test_a_field_of_the_records_is_refused_before_the_run(mmpipe: Callable) -> None:
    for field in ("record", "media", "id", "text", "has space"):
        for arguments in (("validate", "Typed.json"), ("run", "Typed.json", "in.jsonl", "-o", "out.jsonl")):
            found = mmpipe(*arguments, f"--components.n.field={field}")
            assert found.code == 3 and "components.n.field" in found.out + found.err
    assert not Path("out.jsonl").exists()
