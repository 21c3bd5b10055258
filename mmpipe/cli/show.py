"""`mmpipe show`"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.cli.exit_codes import ExitCode
from mmpipe.errors import MmpipeError


def show(
    results: Annotated[Path, typer.Argument(metavar="RESULTS.jsonl", help="What `mmpipe run` wrote.")],
    limit: Annotated[int, typer.Option(min=1, help="Show so many records.")] = 10,
    gold: Annotated[str | None, typer.Option(help="A key with right labels, to compare sentiment with.")] = None,
) -> None:
    """Show results on the terminal: texts beside sentiments and summaries, and the labels counted."""
    from rich.console import Console
    from rich.table import Table

    records = _read(results)
    if not records:
        raise typer.Exit(ExitCode.NO_INPUT)
    console = Console()
    fields = [name for name in ("sentiment", "summary") if any(name in record for record in records)]
    table = Table(show_lines=True, expand=True)
    table.add_column("id", no_wrap=True)
    table.add_column("text", ratio=3)
    for name in fields:
        table.add_column(name, ratio=4 if name == "summary" else None)
    for record in records[:limit]:
        table.add_row(str(record.get("id", "")), _short(record), *(_cell(record.get(name)) for name in fields))
    console.print(table)
    if len(records) > limit:
        console.print(f"{limit} of {len(records)} records shown")
    labels = Counter(record["sentiment"]["label"] for record in records if record.get("sentiment"))
    if labels:
        console.print("sentiment: " + ", ".join(f"{n} {label}" for label, n in labels.most_common()))
    if gold:
        judged = [r for r in records if r.get("sentiment") and gold in r]
        right = sum(r["sentiment"]["label"] == r[gold] for r in judged)
        console.print(f"{right} of {len(judged)} labels agree with {gold!r} ({right / max(len(judged), 1):.1%})")


def _read(results: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in results.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise MmpipeError(
            f"cannot be shown: {error}", where=str(results), next_step="name a JSONL of results"
        ) from None


def _short(record: Mapping[str, Any], most: int = 160) -> str:
    text = " ".join(str(record.get("title") or record.get("text") or "").split())
    return text if len(text) <= most else text[: most - 3] + "..."


def _cell(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    if "text" in value:
        return str(value["text"])
    return f"{value.get('label')} {value.get('score', 0.0):.2f}"
