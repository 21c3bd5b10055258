"""What mmpipe itself provides, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mmpipe.hookspecs import hookimpl
from mmpipe.specs import CommandSpec, EngineSpec, MetricSpec, ReaderSpec, WriterSpec


@hookimpl
def mmpipe_readers() -> Iterable[ReaderSpec]:
    yield ReaderSpec("jsonl", "mmpipe.corpus.jsonl:read", (".jsonl", ".ndjson"), "one JSON object a line")
    yield ReaderSpec("quarantine", "mmpipe.corpus.failed:read", (), "the records that a run could not do")
    yield ReaderSpec("json", "mmpipe.corpus.json_array:read", (".json",), "an array of JSON objects")
    yield ReaderSpec("csv", "mmpipe.corpus.table:read", (".csv", ".tsv"), "a table with a header line")
    yield ReaderSpec("parquet", "mmpipe.corpus.arrow:read_parquet", (".parquet",), "a row is a record")
    yield ReaderSpec("arrow", "mmpipe.corpus.arrow:read_ipc", (".arrow", ".feather"), "Arrow IPC: a row is a record")
    yield ReaderSpec("text", "mmpipe.corpus.text:read", (".txt", ".md"), "a file is a record")
    yield ReaderSpec("lines", "mmpipe.corpus.text:read_lines", (), "text: a line is a record")
    yield ReaderSpec(
        "images",
        "mmpipe.corpus.images:read",
        (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"),
        "an image is a record",
        sidecars=("captions.jsonl", "captions.csv"),
    )
    yield ReaderSpec("docbin", "mmpipe.corpus.docbin:read", (".spacy",), "spaCy's DocBin: a Doc is a record")
    yield ReaderSpec("pdf", "mmpipe.corpus.pdf:read", (".pdf",), "a page is a record")
    yield ReaderSpec("pdf-whole", "mmpipe.corpus.pdf:read_whole", (), "PDF: a file is a record")
    yield ReaderSpec("pdf-images", "mmpipe.corpus.pdf:read_images", (), "PDF: a page is a record, with its image")


@hookimpl
def mmpipe_writers() -> Iterable[WriterSpec]:
    yield WriterSpec("jsonl", "mmpipe.corpus.jsonl:Writer", (".jsonl", ".ndjson"), "one JSON object a line")
    yield WriterSpec("json", "mmpipe.corpus.json_array:Writer", (".json",), "an array of JSON objects")
    yield WriterSpec("csv", "mmpipe.corpus.table:CsvWriter", (".csv",), "a table with a header line", is_table=True)
    yield WriterSpec("tsv", "mmpipe.corpus.table:TsvWriter", (".tsv",), "a table with tabs", is_table=True)
    yield WriterSpec(
        "parquet", "mmpipe.corpus.arrow_writer:ParquetWriter", (".parquet",), "Parquet, zstd", is_table=True
    )
    yield WriterSpec(
        "arrow", "mmpipe.corpus.arrow_writer:IpcWriter", (".arrow", ".feather"), "Arrow IPC", is_table=True
    )
    yield WriterSpec("text", "mmpipe.corpus.text:Writer", (".txt",), "the text of a result a line")
    yield WriterSpec("docbin", "mmpipe.corpus.docbin:Writer", (".spacy",), "spaCy's DocBin", takes="docs")


@hookimpl
def mmpipe_metrics() -> Iterable[MetricSpec]:
    yield MetricSpec("classification", "mmpipe.metrics.classification:Classification", "labels: F1, AUC, calibration")
    yield MetricSpec("qa", "mmpipe.metrics.qa:Answers", "answers: exact match and F1 as SQuAD's script has them")
    yield MetricSpec("summary", "mmpipe.metrics.summary:Summary", "summaries: ROUGE")
    yield MetricSpec("caption", "mmpipe.metrics.caption:Caption", "captions: BLEU-4, CIDEr-D")


@hookimpl
def mmpipe_engines() -> Iterable[EngineSpec]:
    yield EngineSpec("local", "mmpipe.corpus.engine:in_process", "one shard after another, in this process")
    yield EngineSpec("workers", "mmpipe.corpus.workers:in_workers", "spawned processes on this machine")


@hookimpl
def mmpipe_commands() -> Iterable[CommandSpec]:
    yield CommandSpec("run", "mmpipe.cli.run:run", "Run a pipeline over a corpus.")
    yield CommandSpec("status", "mmpipe.cli.status:status", "How far a run is.")
    yield CommandSpec("verify", "mmpipe.cli.verify:verify", "Compare a run's files with its manifest.")
    yield CommandSpec("retry", "mmpipe.cli.retry:retry", "Try the quarantine of a run again.")
    yield CommandSpec("report", "mmpipe.cli.report:report", "Write an HTML page about a run.")
    yield CommandSpec("train", "mmpipe.cli.train:train", "Train a pipeline by spaCy's own training config.")
    yield CommandSpec("evaluate", "mmpipe.cli.evaluate:evaluate", "Judge a pipeline, or results, against gold.")
    yield CommandSpec("calibrate", "mmpipe.cli.calibrate:calibrate", "Fit the temperature of a pipeline's classifiers.")
    yield CommandSpec("validate", "mmpipe.cli.validate:validate", "Check a pipeline, list every fault.")
    yield CommandSpec("config", "mmpipe.cli.config:config", "Print a pipeline with every default filled in.")
    yield CommandSpec("show", "mmpipe.cli.show:show", "Show results on the terminal.")
    yield CommandSpec("plugins", "mmpipe.cli.plugins:app", "Plugins and what they provide.")
    yield CommandSpec("models", "mmpipe.cli.models:app", "Shipped models and licences; fetch and lock models.")
    yield CommandSpec("doctor", "mmpipe.cli.doctor:doctor", "Check the installation, say what mends it.")
    yield CommandSpec("info", "mmpipe.cli.info:info", "Versions, devices, and the precision chosen.")
