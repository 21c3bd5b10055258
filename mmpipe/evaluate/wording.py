"""Numbers and intervals as readers see them, in the table and in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_SHOWN = 5


def number(value: Any) -> str:
    """Three decimals, more for what would be nothing; whole numbers and text as they are; nothing for None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2e}" if 0 < abs(value) < 0.0005 else f"{value:,.3f}"


def interval(bounds: Sequence[float | None] | None) -> str:
    """Nothing where there is none."""
    return "" if not bounds or None in bounds else f"{number(bounds[0])} to {number(bounds[1])}"


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that stand in one line each."""
    return {key: value for key, value in figures.items() if not isinstance(value, Mapping | list)}


def troubles(evaluation: Mapping[str, Any]) -> list[str]:
    """What kept records from being judged, a sentence each, with the first of them named."""
    found = []
    if evaluation["counts"]["unread"]:
        found.append(_named(evaluation["counts"]["unread"], "could not be read", evaluation["unread"]))
    for name, task in evaluation["tasks"].items():
        counts, key = task["counts"], task["gold_key"]
        without = [{"origin": origin} for origin in task["without_gold"]]
        for n, said, rows in (
            (counts["without_gold"], f"without gold under {key!r}", without),
            (counts["malformed"], f"with malformed gold under {key!r}", task["malformed"]),
            (counts["failed"], "failed", task["failures"]),
        ):
            if n:
                found.append(f"{name}: {_named(n, said, rows)}")
    return found


def _named(n: int, said: str, rows: Sequence[Mapping[str, Any]]) -> str:
    shown = "; ".join(
        ": ".join(str(row[key]) for key in ("origin", "message") if key in row) for row in rows[:MAX_SHOWN]
    )
    return f"{n:,} {'record' if n == 1 else 'records'} {said} ({shown}{'; ...' if n > MAX_SHOWN else ''})"
