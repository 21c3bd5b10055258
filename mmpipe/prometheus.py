"""Metrics of a run in Prometheus's text format, by the hooks of a run's life: `mmpipe run --metrics FILE.prom`.

The file is for the textfile collector of Prometheus's node exporter, and is replaced as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpipe.errors import MmpipeError
from mmpipe.hookspecs import hookimpl
from mmpipe.specs import RunCounts, RunInfo

_SECONDS_BETWEEN = 5.0


class MetricsFile:
    """Counts what shards hold, and writes it every few seconds and at the end.

    path: of the file. Raises MmpipeError where prometheus-client is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter
        except ImportError:
            raise MmpipeError(
                "prometheus-client is not installed",
                where="--metrics",
                next_step="pip install 'mmpipe[metrics]'",
            ) from None
        self._path, self._registry, self._written = path, CollectorRegistry(), 0.0
        self._records = Counter(
            "mmpipe_records", "Records of this run by what became of them.", ["outcome"], registry=self._registry
        )
        self._tokens = Counter("mmpipe_tokens", "Tokens of the documents written.", registry=self._registry)
        self._shards = Counter("mmpipe_shards", "Shards written.", registry=self._registry)
        self._seconds = Counter(
            "mmpipe_component_seconds", "Seconds spent in a component.", ["component"], registry=self._registry
        )
        self._errors = Counter("mmpipe_errors", "Failures.", ["component", "error"], registry=self._registry)

    @hookimpl
    def mmpipe_run_started(self, run: RunInfo) -> None:
        self._write()

    @hookimpl
    def mmpipe_shard_written(self, shard: Mapping[str, Any]) -> None:
        for outcome in ("written", "quarantined", "skipped"):
            self._records.labels(outcome).inc(shard[f"n_{outcome}"])
        self._tokens.inc(shard["n_tokens"])
        self._shards.inc()
        for component, seconds in shard["component_seconds"].items():
            self._seconds.labels(component).inc(seconds)
        for (component, error), n in shard["errors"]:
            self._errors.labels(component or "none", error).inc(n)
        if time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self._write()

    @hookimpl
    def mmpipe_run_ended(self, run: RunInfo, counts: RunCounts) -> None:
        self._write()

    def _write(self) -> None:
        from prometheus_client import write_to_textfile

        write_to_textfile(str(self._path), self._registry)
        self._written = time.monotonic()
