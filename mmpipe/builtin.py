"""What mmpipe itself provides, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mmpipe.hookspecs import hookimpl
from mmpipe.specs import CommandSpec, MetricSpec, ReaderSpec, WriterSpec


@hookimpl
def mmpipe_readers() -> Iterable[ReaderSpec]:
    yield ReaderSpec("jsonl", "mmpipe.corpus.jsonl:read", (".jsonl", ".ndjson"), "one JSON object a line")
    yield ReaderSpec("csv", "mmpipe.corpus.table:read", (".csv", ".tsv"), "a table with a header line")
    yield ReaderSpec("text", "mmpipe.corpus.text:read", (".txt", ".md"), "a file is a record")


@hookimpl
def mmpipe_writers() -> Iterable[WriterSpec]:
    yield WriterSpec("jsonl", "mmpipe.corpus.jsonl:Writer", (".jsonl", ".ndjson"), "one JSON object a line")


@hookimpl
def mmpipe_metrics() -> Iterable[MetricSpec]:
    yield MetricSpec("classification", "mmpipe.metrics.classification:Classification", "labels: F1, AUC, calibration")
    yield MetricSpec("qa", "mmpipe.metrics.qa:Answers", "answers: exact match and F1 as SQuAD's script has them")
    yield MetricSpec("summary", "mmpipe.metrics.summary:Summary", "summaries: ROUGE")
    yield MetricSpec("caption", "mmpipe.metrics.caption:Caption", "captions: BLEU-4, CIDEr-D")


@hookimpl
def mmpipe_commands() -> Iterable[CommandSpec]:
    yield CommandSpec("run", "mmpipe.cli.run:run", "Run a pipeline over a corpus.")
    yield CommandSpec("train", "mmpipe.cli.train:train", "Train a pipeline by spaCy's own training config.")
    yield CommandSpec("evaluate", "mmpipe.cli.evaluate:evaluate", "Judge a pipeline, or results, against gold.")
    yield CommandSpec("calibrate", "mmpipe.cli.calibrate:calibrate", "Fit the temperature of a pipeline's classifiers.")
    yield CommandSpec("validate", "mmpipe.cli.validate:validate", "Check a pipeline, list every fault.")
    yield CommandSpec("config", "mmpipe.cli.config:config", "Print a pipeline with every default filled in.")
    yield CommandSpec("show", "mmpipe.cli.show:show", "Show results on the terminal.")
    yield CommandSpec("plugins", "mmpipe.cli.plugins:app", "Plugins and what they provide.")
    yield CommandSpec("models", "mmpipe.cli.models:app", "Shipped models, their sizes and licences.")
    yield CommandSpec("info", "mmpipe.cli.info:info", "Versions, devices, and the precision chosen.")
