"""The report: one HTML file that asks nothing of any network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mmpipe.evaluate.plots import draw
from mmpipe.evaluate.wording import flat, interval, number
from mmpipe.page import page, table


def html(evaluation: Mapping[str, Any]) -> str:
    """The report of an evaluation (see mmpipe.evaluate.verdict). Raises MmpipeError without matplotlib."""
    counts, tasks = evaluation["counts"], evaluation["tasks"]
    made = evaluation["provenance"]
    name = made.get("pipeline", {}).get("name") or made.get("training") or made.get("results", "results")
    trouble = (
        f", {counts['unread']:,} could not be read, {counts['failed']:,} failed"
        if any((counts["unread"], counts["failed"]))
        else ""
    )
    parts = [
        f'<p class="faint">{counts["read"]:,} records read{trouble}</p>',
        *(_task(task, told, evaluation["resampling"]) for task, told in tasks.items()),
        *(_folds(task, told) for task, told in (evaluation.get("folds") or {}).items()),
        _trouble("Records that could not be read", evaluation["unread"], counts["unread"]),
        _provenance(evaluation),
    ]
    return page(f"Evaluation of {name}", parts)


def _task(name: str, told: Mapping[str, Any], resampling: Mapping[str, Any]) -> str:
    counts, figures = told["counts"], told["figures"]
    said = (
        f"{counts['records']:,} records, {counts['pairs']:,} judged by the metric {told['metric']!r} "
        f"against {told['gold_key']!r}; {counts['without_gold']:,} without gold"
    )
    percent = f"{100 * resampling['confidence']:g} % interval"
    rows = [[key, number(value), interval(told["intervals"].get(key))] for key, value in flat(figures).items()]
    parts = [
        f"<h2>{escape(name)}</h2>\n<p>{escape(said)}</p>",
        table(["figure", "value", percent if resampling["n"] else ""], rows, main=told["headline"]),
        _per_label(figures.get("per_label")),
        _labels_of_gold(figures.get("labels_of_gold")),
        f'<div class="charts">{"".join(_figure(chart) for chart in told["charts"])}</div>',
        _against(told["against"]),
        *(_slices(key, found, told["headline"]) for key, found in told["slices"].items()),
        _worst(told["worst"]),
        _trouble(
            "Records without gold", [{"origin": origin} for origin in told["without_gold"]], counts["without_gold"]
        ),
        _trouble("Records whose gold is malformed", told["malformed"], counts["malformed"]),
        _trouble("Records that failed", told["failures"], counts["failed"]),
    ]
    return "\n".join(part for part in parts if part)


def _folds(name: str, told: Mapping[str, Any]) -> str:
    rows = [
        [figure, number(one["mean"]), number(one["standard_deviation"]), *map(number, one["values"])]
        for figure, one in told["figures"].items()
    ]
    head = ["figure", "mean", "standard deviation", *(f"fold {i + 1}" for i in range(told["n"]))]
    return f"<h2>{escape(name)}: {told['n']} folds</h2>\n" + table(head, rows)


def _labels_of_gold(taken: Mapping[str, str] | None) -> str:
    said = ", ".join(f"{gold} = {label}" for gold, label in sorted((taken or {}).items()) if gold != label)
    return f"<p>Gold labels taken for the model's: {escape(said)}</p>" if said else ""


def _per_label(labels: Mapping[str, Mapping[str, Any]] | None) -> str:
    if not labels:
        return ""
    columns = list(next(iter(labels.values())))
    return table(["label", *columns], [[label, *map(number, one.values())] for label, one in labels.items()])


def _figure(chart: Mapping[str, Any]) -> str:
    title = escape(chart["title"])
    return f'<figure><img alt="{title}" src="{draw(chart)}"><figcaption>{title}</figcaption></figure>'


def _slices(key: str, found: Mapping[str, Any], headline: str) -> str:
    names = list(next(iter(found.values()))["figures"]) if found else []
    shown = [headline, *(name for name in names if name != headline)][:6]
    rows = [
        [
            name,
            f"{one['records']:,}",
            *(number(one["figures"].get(figure)) for figure in shown[:1]),
            interval(one["interval"]),
            *(number(one["figures"].get(figure)) for figure in shown[1:]),
        ]
        for name, one in found.items()
    ]
    return f"<h3>By {escape(key)}</h3>\n" + table([key, "records", headline, "interval", *shown[1:]], rows)


def _against(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    rows = [
        [
            name,
            number(told["figures"].get(name)),
            number(one["value"]),
            interval(one["interval"]),
            number(one["p_value"]),
        ]
        for name, one in told["differences"].items()
    ]
    return f"<h3>Against {escape(told['task'])}, on the {told['records']:,} records that both judged</h3>\n" + table(
        ["figure", "of the other", "difference", "interval", "p"], rows
    )


def _worst(worst: Sequence[Mapping[str, Any]]) -> str:
    if not worst:
        return ""
    body = "".join(
        f'<tr><td class="number">{number(one["score"])}</td><td>{escape(str(one["id"] or one["origin"]))}</td>'
        + "".join(f'<td class="text">{escape(str(one[key]))}</td>' for key in ("key", "gold", "predicted", "text"))
        + "</tr>"
        for one in worst
    )
    head = "".join(f"<th>{name}</th>" for name in ("score", "record", "", "gold", "predicted", "text"))
    return f"<h3>The worst</h3>\n<table><tr>{head}</tr>{body}</table>"


def _trouble(title: str, rows: Sequence[Mapping[str, Any]], n: int) -> str:
    if not n:
        return ""
    more = f"; the first {len(rows):,} are listed" if n > len(rows) else ""
    lines = "".join(
        "<li>"
        + escape(": ".join(str(row[key]) for key in ("origin", "component", "error", "message") if row.get(key)))
        + "</li>"
        for row in rows
    )
    return f"<details><summary>{escape(title)}: {n:,}{more}</summary><ul>{lines}</ul></details>"


def _provenance(evaluation: Mapping[str, Any]) -> str:
    rows = [*_flattened(evaluation["provenance"]), ("records, SHA-256", evaluation["data_sha256"])]
    body = "".join(f"<tr><td>{escape(key)}</td><td><code>{escape(str(value))}</code></td></tr>" for key, value in rows)
    return f"<h2>Made with</h2>\n<table>{body}</table>"


def _flattened(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value, 1) if isinstance(value, list) else None
    if items is None:
        yield name, value
        return
    for key, one in items:
        yield from _flattened(one, f"{name} {key}".strip())
