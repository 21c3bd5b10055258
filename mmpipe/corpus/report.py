"""The report of a run: one HTML file with its account, its speed, what it found, and what failed, by cause."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mmpipe.corpus.examples import example
from mmpipe.corpus.manifest import Manifest
from mmpipe.corpus.quarantine import Line, read_lines
from mmpipe.corpus.source import find_inputs
from mmpipe.corpus.tally import N_BINS, Tally
from mmpipe.page import bars, page, table
from mmpipe.plugins import PluginRegistry

_MOST_EXAMPLES, _MOST_OF_A_CAUSE = 30, 5


def html(manifest: Manifest, plugins: PluginRegistry, n_examples: int = _MOST_EXAMPLES) -> str:
    """The report of a run, finished or not. Its results are read once, in memory that does not grow with them."""
    tally = Tally()
    for result in _results(manifest, plugins):
        tally.add(result)
    counts, command = manifest.counts, manifest.command
    rate = counts.n_read / max(manifest.seconds, 1e-9)
    account = [
        ["read", f"{counts.n_read:,}"],
        ["written", f"{counts.n_written:,}"],
        ["quarantined", f"{counts.n_quarantined:,}"],
        ["skipped", f"{counts.n_skipped:,}"],
        ["shards", f"{counts.n_shards:,}"],
        ["tokens", f"{counts.n_tokens:,}"],
        ["records a second", f"{rate:,.1f}"],
        ["seconds", f"{manifest.seconds:,.1f}"],
    ]
    said = f"{manifest.state}; begun {_when(manifest.started)}, last written {_when(manifest.updated)}"
    parts = [
        f'<p class="faint">{escape(", ".join(command["inputs"]))}: {escape(said)}</p>',
        table(["records", ""], account),
        _components(manifest),
        *_fields(tally),
        _examples(manifest, tally, n_examples),
        _quarantine(manifest),
        _provenance(manifest),
    ]
    return page(f"Run of {command['pipeline']}", parts)


def _results(manifest: Manifest, plugins: PluginRegistry) -> Iterator[dict[str, Any]]:
    for index in sorted(manifest.shards):
        file = manifest.layout.shard(index)
        if manifest.shards[index].n_written and file.exists():
            for given in find_inputs([str(file)], plugins):
                yield from (item.record for item in given if item.record is not None)


def _components(manifest: Manifest) -> str:
    seconds: dict[str, float] = defaultdict(float)
    for entry in manifest.shards.values():
        for name, one in entry.component_seconds.items():
            seconds[name] += one
    rest = sum(entry.seconds for entry in manifest.shards.values()) - sum(seconds.values())
    rows = [*seconds.items(), ("reading, writing and all else", max(rest, 0.0))]
    return "<h2>Seconds in each component</h2>\n" + bars(rows) if seconds else ""


def _fields(tally: Tally) -> Iterator[str]:
    for field in sorted({*tally.labels, *tally.scores, *(+tally.partly_read)}):
        yield f"<h2>{escape(field)}</h2>"
        if tally.labels.get(field):
            yield bars([(label, n) for label, n in tally.labels[field].most_common(30)])
        if field in tally.scores:
            edges = [f"{i / N_BINS:.2f} to {(i + 1) / N_BINS:.2f}" for i in range(N_BINS)]
            yield "<h3>Scores</h3>\n" + bars(list(zip(edges, tally.scores[field], strict=True)))
        if tally.partly_read[field]:
            yield f"<p>{tally.partly_read[field]:,} results read only a part of their text (coverage below 1).</p>"


def _examples(manifest: Manifest, tally: Tally, n: int) -> str:
    folders = list(dict.fromkeys(Path(e["path"]).parent for e in manifest.plan["inputs"] if e.get("path")))
    if manifest.plan["pipeline"].get("private"):
        folders = []  # A picture of a letter is its text.
    shown = tally.examples[:: max(1, len(tally.examples) // max(n, 1))][:n]
    drawn = "".join(example(result, folders) for result in shown)
    return f"<h2>{len(shown):,} of {tally.n_results:,} results, from all over the run</h2>\n{drawn}" if shown else ""


def _quarantine(manifest: Manifest) -> str:
    """The failures by cause, commonest first, some of each."""
    n_each: dict[tuple, int] = defaultdict(int)
    some: dict[tuple, list[Line]] = defaultdict(list)
    for index in sorted(manifest.shards):
        for line in read_lines(manifest.layout.shard_quarantine(index)):
            cause = (line["component"], line["error"], line["message"][:120])
            cause = (
                cause if cause in n_each or len(n_each) < 200 else (line["component"], line["error"], "other messages")
            )
            n_each[cause] += 1
            if len(some[cause]) < _MOST_OF_A_CAUSE:
                some[cause].append(line)
    if not n_each:
        return ""
    parts = [f"<h2>Quarantine: {sum(n_each.values()):,} records by cause</h2>"]
    for cause, n in sorted(n_each.items(), key=lambda pair: -pair[1]):
        component, error, message = cause
        lines = "".join(
            f"<li>{escape(str(one['origin']))}: {escape(_short(one['record']))}</li>" for one in some[cause]
        )
        told = f"{n:,} × {error}: {message}" + (f" ({component})" if component else "")
        parts.append(f"<details><summary>{escape(told)}</summary><ul>{lines}</ul></details>")
    return "\n".join(parts)


def _provenance(manifest: Manifest) -> str:
    plan = manifest.plan
    rows = [["config, SHA-256", plan["pipeline"]["config_sha256"]]]
    for name, one in plan["pipeline"]["components"].items():
        rows += [
            [name, str(one.get("model") or one["factory"])],
            [f"{name}, weights", str(one.get("weights_sha256", ""))],
        ]
    rows += [[entry["name"], str(entry.get("sha256", "not hashed"))] for entry in plan["inputs"]]
    rows += [[name, version] for name, version in {**plan["plugins"], **plan["versions"]}.items()]
    body = "".join(
        f"<tr><td>{escape(key)}</td><td><code>{escape(value)}</code></td></tr>" for key, value in rows if value
    )
    return f"<h2>Made with</h2>\n<table>{body}</table>"


def _short(record: Any) -> str:
    text = str(record)
    return text if len(text) <= 200 else text[:199] + "…"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
