"""`mmpipe show`"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.errors import MmpipeError, NoInputError

_MOST_COLUMNS = 2
"""Results of more components stand below one another."""


def show(
    results: Annotated[Path, typer.Argument(metavar="RESULTS.jsonl", help="What `mmpipe run` wrote.")],
    limit: Annotated[int, typer.Option(min=1, help="Show so many records.")] = 10,
    gold: Annotated[str | None, typer.Option(help="A key with right labels, to compare sentiment with.")] = None,
    by: Annotated[str | None, typer.Option(help="With --gold: compare for each value of this key, too.")] = None,
) -> None:
    """Show results on the terminal: texts beside what the components said of them, and the labels counted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    records = _read(results)
    if not records:
        raise NoInputError("no results", where=str(results), next_step="name what `mmpipe run` wrote")
    console = Console(markup=False, highlight=False)
    fields = list(dict.fromkeys(name for record in records for name, value in record.items() if _is_result(value)))
    table = Table(show_lines=True, expand=True)
    table.add_column("id", no_wrap=True)
    table.add_column("text", ratio=3, overflow="fold")
    is_stacked = len(fields) > _MOST_COLUMNS
    for name in ["results"] if is_stacked else fields:
        is_wide = is_stacked or any(_has_text(record.get(name)) for record in records)
        table.add_column(name, ratio=4 if is_wide else None, overflow="fold")
    for record in records[:limit]:
        cells = [_cell(record.get(name)) for name in fields]
        if is_stacked:
            cells = ["\n".join(f"{name}: {cell}" for name, cell in zip(fields, cells, strict=True) if cell)]
        table.add_row(*map(Text, (str(record.get("id", "")), _short(record), *cells)))  # Text: [b] is no markup.
    console.print(table)
    if len(records) > limit:
        console.print(f"{limit} of {len(records)} records shown")
    labels = Counter(label for label in map(_label, records) if label is not None)
    if labels:
        console.print("sentiment: " + ", ".join(f"{n} {label}" for label, n in labels.most_common()))
    if gold:
        judged = [record for record in records if _label(record) is not None and gold in record]
        console.print(_agreement(judged, gold))
        for value in sorted({str(record.get(by)) for record in judged}) if by else ():
            part = [record for record in judged if str(record.get(by)) == value]
            console.print(f"  {by} {value}: {_agreement(part, gold)}", markup=False)


def _agreement(judged: list[dict[str, Any]], gold: str) -> str:
    right = sum(_label(record) == record[gold] for record in judged)
    return f"{right} of {len(judged)} labels agree with {gold!r} ({right / max(len(judged), 1):.1%})"


def _read(results: Path) -> list[dict[str, Any]]:
    try:
        records = [json.loads(line) for line in results.read_bytes().splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or error
        raise MmpipeError(f"cannot be shown: {said}", where=str(results), next_step="name a JSONL of results") from None
    if not all(isinstance(record, dict) for record in records):
        raise MmpipeError("holds lines that are no objects", where=str(results), next_step="name a JSONL of results")
    return records


def _label(record: Mapping[str, Any]) -> str | None:
    found = record.get("sentiment")
    label = found.get("label") if isinstance(found, Mapping) else None
    return label if isinstance(label, str) else None


def _short(record: Mapping[str, Any], most: int = 160) -> str:
    text = " ".join(str(record.get("title") or record.get("text") or "").split())
    return text if len(text) <= most else text[: most - 3] + "..."


def _is_result(value: Any) -> bool:
    """Whether it looks like what a component wrote: a dict with a score or a coverage, or a list of such."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, Mapping) and _is_result(one) for one in value)
    return isinstance(value, Mapping) and not {"score", "coverage"}.isdisjoint(value)


def _has_text(value: Any) -> bool:
    return any("text" in one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping))


def _cell(value: Any) -> str:
    if value == [] or (isinstance(value, list) and _is_result(value)):
        headings = [str(one.get("question") or one.get("image") or "") for one in value]
        said = ["(none)" if one.get("text", "") is None else _cell(one) for one in value]
        return "\n".join(f"{heading} {text}".strip() for heading, text in zip(headings, said, strict=True))
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    if "text" in value:
        return str(value["text"])
    score = value.get("score")
    return f"{value.get('label')} {score:.2f}" if isinstance(score, float | int) else str(dict(value))
