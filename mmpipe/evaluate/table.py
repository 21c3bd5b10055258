"""An evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmpipe.evaluate.wording import flat, interval, number


def show(evaluation: Mapping[str, Any], console: Console) -> None:
    """Print a table for each task, its slices and its comparison; see mmpipe.evaluate.verdict for the shape."""
    resampling = evaluation["resampling"]
    around = f"{100 * resampling['confidence']:g} % interval" if resampling["n"] else ""
    for name, task in evaluation["tasks"].items():
        counts = task["counts"]
        same = counts["pairs"] == counts["records"]
        of = f"{counts['records']:,} records" + ("" if same else f", {counts['pairs']:,} judged")
        rows = [
            [key, number(value), interval(task["intervals"].get(key))] for key, value in flat(task["figures"]).items()
        ]
        _print(
            console, f"{name} against {task['gold_key']!r}: {of}", ["figure", "value", around], rows, task["headline"]
        )
        _per_label(console, task["figures"].get("per_label"))
        if task["figures"].get("labels_of_gold"):
            taken = {gold: label for gold, label in task["figures"]["labels_of_gold"].items() if gold != label}
            if taken:
                said = ", ".join(f"{gold} = {label}" for gold, label in sorted(taken.items()))
                console.print(Text(f"gold labels taken for the model's: {said}"))
        for key, found in task["slices"].items():
            _slices(console, key, found, task["headline"], around)
        if task["against"] is not None:
            _against(console, name, task["against"])
    for name, folds in (evaluation.get("folds") or {}).items():
        rows = [[key, number(one["mean"]), number(one["standard_deviation"])] for key, one in folds["figures"].items()]
        title = f"{name}: {folds['n']} folds"
        _print(console, title, ["figure", "mean of folds", "standard deviation"], rows, "")


def _per_label(console: Console, labels: Mapping[str, Mapping[str, Any]] | None) -> None:
    if labels:
        columns = ["label", *next(iter(labels.values()))]
        _print(console, "each label", columns, [[name, *map(number, one.values())] for name, one in labels.items()], "")


def _slices(console: Console, key: str, found: Mapping[str, Any], headline: str, around: str) -> None:
    names = list(next(iter(found.values()))["figures"]) if found else []
    others = [name for name in names if name != headline][:2]
    rows = [
        [
            name,
            f"{one['records']:,}",
            number(one["figures"].get(headline)),
            interval(one["interval"]),
            *(number(one["figures"].get(other)) for other in others),
        ]
        for name, one in found.items()
    ]
    _print(console, f"by {key}", [key, "records", headline, around, *others], rows, "")


def _against(console: Console, name: str, told: Mapping[str, Any]) -> None:
    rows = [
        [
            key,
            number(told["figures"].get(key)),
            "" if one["value"] is None else f"{one['value']:+.3f}",
            interval(one["interval"]),
            number(one["p_value"]),
        ]
        for key, one in told["differences"].items()
    ]
    title = f"{name} minus {told['task']} of the other, on {told['records']:,} records that both judged"
    _print(console, title, ["figure", "of the other", "difference", "interval", "p"], rows, "")


def _print(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], main: str) -> None:
    console.print(Text(title, style="bold"))
    table = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == main else None)
    console.print(table)
    console.print()
