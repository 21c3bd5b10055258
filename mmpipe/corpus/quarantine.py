"""The quarantine: a line for each record that could not be read, processed or written, with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy.language import Language

from mmpipe.corpus.durable import whole_file
from mmpipe.corpus.layout import Layout
from mmpipe.corpus.private import Privacy
from mmpipe.corpus.process import Failure
from mmpipe.corpus.source import Item
from mmpipe.plain import dumps
from mmpipe.plugins import PluginRegistry

Line = dict[str, Any]
Makers = dict[str, tuple[str, str]]
"""Component -> the distribution that its factory comes from, and its version."""


def makers_of(nlp: Language, plugins: PluginRegistry) -> Makers:
    """Who made each component of a pipeline; spaCy itself where no plugin of ours did."""
    found = {}
    for name in nlp.pipe_names:
        provided = plugins.find("components", nlp.get_pipe_meta(name).factory)
        plugin = provided.plugin if provided else None
        found[name] = (plugin.distribution, plugin.version) if plugin else ("spacy", _spacy_version())
    return found


def line_of(failure: Failure, item: Item, position: int, attempt: int, makers: Makers, privacy: Privacy) -> Line:
    """What stands in the quarantine of a failure.

    position: the record's number in the run, from 0. attempt: how often it was tried, from 1. privacy: of the run.
    """
    plugin, version = makers.get(failure.component or "", (None, None))
    told = failure.as_dict()
    record = told.pop("record")
    line = {
        "position": position,
        "origin": told.pop("origin"),
        "offset": getattr(item, "offset", None),
        "component": told.pop("component"),
        "plugin": plugin,
        "version": version,
        **told,
        "attempt": attempt,
        "record": record,
    }
    return privacy.line(line, failure.error)


def as_json(line: Mapping[str, Any]) -> bytes:
    """One line of JSON; of a record that is no JSON data, its type stands there alone."""
    try:
        try:
            return dumps(line).encode("utf-8") + b"\n"
        except UnicodeEncodeError:
            # Half a surrogate pair is no text, but JSON can spell it.
            return json.dumps(line, allow_nan=False).encode("ascii") + b"\n"
    except (ValueError, TypeError, RecursionError):
        return as_json({**line, "record": f"{type(line['record']).__name__} that is not JSON data"})


def read_lines(file: Path) -> Iterator[Line]:
    """The lines of a quarantine; none where there is no such file."""
    if file.exists():
        with file.open("rb") as stream:
            yield from map(json.loads, stream)


def gather(layout: Layout, indices: list[int]) -> int:
    """Write the quarantine of the whole run, in order, or remove it where nothing failed; how many lines it has."""
    files = [file for index in sorted(indices) if (file := layout.shard_quarantine(index)).exists()]
    if not files:
        layout.quarantine.unlink(missing_ok=True)
        return 0
    n_lines = 0
    with whole_file(layout.quarantine) as out:
        for file in files:
            with file.open("rb") as stream:
                for line in stream:
                    out.write(line)
                    n_lines += 1
    return n_lines


def _spacy_version() -> str:
    import spacy

    return spacy.__version__
