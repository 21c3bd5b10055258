"""What mmpipe itself provides, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mmpipe.hookspecs import hookimpl
from mmpipe.specs import CommandSpec, ReaderSpec, WriterSpec


@hookimpl
def mmpipe_readers() -> Iterable[ReaderSpec]:
    yield ReaderSpec("jsonl", "mmpipe.corpus.jsonl:read", (".jsonl", ".ndjson"), "one JSON object a line")
    yield ReaderSpec("csv", "mmpipe.corpus.table:read", (".csv", ".tsv"), "a table with a header line")
    yield ReaderSpec("text", "mmpipe.corpus.text:read", (".txt", ".md"), "a file is a record")


@hookimpl
def mmpipe_writers() -> Iterable[WriterSpec]:
    yield WriterSpec("jsonl", "mmpipe.corpus.jsonl:Writer", (".jsonl", ".ndjson"), "one JSON object a line")


@hookimpl
def mmpipe_commands() -> Iterable[CommandSpec]:
    yield CommandSpec("run", "mmpipe.cli.run:run", "Run a pipeline over a corpus.")
    yield CommandSpec("validate", "mmpipe.cli.validate:validate", "Check a pipeline, list every fault.")
    yield CommandSpec("config", "mmpipe.cli.config:config", "Print a pipeline with every default filled in.")
    yield CommandSpec("show", "mmpipe.cli.show:show", "Show results on the terminal.")
    yield CommandSpec("plugins", "mmpipe.cli.plugins:app", "Plugins and what they provide.")
    yield CommandSpec("info", "mmpipe.cli.info:info", "Versions, devices, and the precision chosen.")
