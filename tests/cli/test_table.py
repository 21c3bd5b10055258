"""The table of a listing: what rich prints, at any width."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmpipe.cli.table import print_table, table_lines

HEAD = ("plugin", "version", "status", "provides")
ROWS = [
    ("mmpipe", "0.1.0", "loaded", "readers: jsonl, quarantine, json; commands: run, status, verify"),
    ("mmpipe-折り返し", "2.0", "failed", "No module named 'torhc' (/a/long/path/of/a/plugin/component.py, line 3)"),
    ("mmpipe-é", "", "loaded", "deprecated: one\n\ndeprecated: 情感分析模型的名称"),
]
WORDS = st.sampled_from(["a", "qa,", "mmpipe_sentiment", "x" * 50, "日本語", "é" * 9, "👍", "\a", "\n", " ", "  "])
CELLS = st.lists(WORDS, max_size=9).map("".join)
VARIABLES = ("COLUMNS", "TERM", "FORCE_COLOR", "TTY_COMPATIBLE")


def by_rich(rows: list[tuple[str, ...]], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in HEAD:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def assert_as_rich(rows: list[tuple[str, ...]], width: int) -> None:
    stream = io.StringIO()
    by_rich(rows, Console(width=width, file=stream, color_system=None))
    head, below = table_lines(HEAD, rows, width)
    assert [*head, *below] == stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [*range(16, 90), 120, 300])
def test_the_same_lines_as_rich(width: int) -> None:
    assert_as_rich(ROWS, width)
    assert_as_rich([], width)


@settings(deadline=None, max_examples=200)
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=4), width=st.integers(24, 120))
def test_the_same_lines_as_rich_for_any_cells(rows: list[tuple[str, ...]], width: int) -> None:
    assert_as_rich(rows, width)


@pytest.mark.parametrize("width", range(1, 16))
def test_a_very_narrow_terminal_gets_all_of_it(width: int) -> None:
    _, lines = table_lines(HEAD, ROWS, width)
    printed = "".join("".join(lines).split())
    assert sorted(printed) == sorted("".join("".join("".join(row).split()) for row in ROWS))


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"COLUMNS": "50"},
        {"COLUMNS": "wide"},
        {"FORCE_COLOR": "1", "COLUMNS": "50", "TERM": "xterm"},
        {"FORCE_COLOR": "1", "NO_COLOR": "1"},
        {"FORCE_COLOR": ""},
        {"FORCE_COLOR": "1", "TERM": "dumb"},
        {"TTY_COMPATIBLE": "1", "FORCE_COLOR": ""},
        {"TTY_COMPATIBLE": "0", "FORCE_COLOR": "1"},
    ],
)
def test_width_and_bold_head_by_what_rich_asks(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    by_rich(ROWS, Console())
    theirs = capsys.readouterr().out
    print_table(HEAD, ROWS)
    ours = capsys.readouterr().out
    assert ("\x1b[1m" in ours) == ("\x1b[1m" in theirs)
    # Rich writes a code around each cell, and here one is around the line.
    plain = re.compile(r"\x1b\[\d+m")
    assert plain.sub("", ours) == plain.sub("", theirs)
