"""One evaluation from beginning to end: read gold, predict, measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spacy.language import Language

from mmpipe.corpus import provenance
from mmpipe.corpus.packing import packed
from mmpipe.corpus.source import Input, find_inputs
from mmpipe.evaluate.gold import Placed, read_items
from mmpipe.evaluate.judge import Verdict, judge_pipeline, judge_results
from mmpipe.evaluate.resample import Resampling
from mmpipe.evaluate.task import Task, Wishes, counterparts, tasks_of_pipeline, tasks_of_results, usable_metrics
from mmpipe.evaluate.verdict import describe, plain
from mmpipe.loading import load
from mmpipe.plugins import PluginRegistry

OnBatch = Callable[[int, int], None]
"""Told numbers of records: done, and in all."""


@dataclass(frozen=True)
class Evaluation:
    """How to judge.

    wishes: what the user said of the tasks. resampling: behind the intervals. by: keys of the records to slice by.
    n_worst: how many of the worst to list. limit: read at most so many records. batch_size: records that are batched
    together. device: see mmpipe.load. text_key: the key that holds the text. reader: for all files.
    """

    plugins: PluginRegistry
    wishes: Wishes
    resampling: Resampling
    by: tuple[str, ...] = ()
    n_worst: int = 10
    limit: int | None = None
    batch_size: int = 256
    device: str | None = None
    text_key: str = "text"
    reader: str | None = None

    def of_pipeline(
        self,
        pipeline: str,
        gold: Sequence[str],
        overrides: Mapping[str, Any] | None = None,
        against: str | None = None,
        on_batch: OnBatch = lambda n_done, n_all: None,
    ) -> dict[str, Any]:
        """Judge a pipeline (as mmpipe.load takes it). Raises as `judge_pipeline`, and as `load`."""
        nlp, verdict = self.verdict_on(pipeline, gold, overrides, on_batch)
        made = {"pipeline": provenance.of_pipeline(pipeline, nlp), **self._made(self._inputs(gold))}
        return self._describe(verdict, made, against, on_batch)

    def verdict_on(
        self,
        pipeline: str,
        gold: Sequence[str],
        overrides: Mapping[str, Any] | None = None,
        on_batch: OnBatch = lambda n_done, n_all: None,
    ) -> tuple[Language, Verdict]:
        """The pipeline, and its predictions beside the gold. Raises as `of_pipeline`."""
        items = read_items(self._inputs(gold), self.limit)
        nlp = load(pipeline, overrides, device=self.device)
        return nlp, self._judge(nlp, items, on_batch)

    def of_results(
        self,
        results: str,
        gold: Sequence[str] = (),
        against: str | None = None,
        on_batch: OnBatch = lambda n_done, n_all: None,
    ) -> dict[str, Any]:
        """Judge what `mmpipe run` wrote. gold: files to join by id; () where the results hold the gold themselves."""
        found = self._inputs([results])
        written = read_items(found, None if gold else self.limit)
        inputs = self._inputs(gold) if gold else []
        items = read_items(inputs, self.limit) if gold else None
        verdict = judge_results(written, items, tasks_of_results(_records(written), self.plugins, self.wishes))
        made = {"results": results, "results_files": provenance.of_inputs(found), **self._made(inputs)}
        return self._describe(verdict, made, against, on_batch)

    def of_folds(
        self,
        config: str,
        gold: Sequence[str],
        n_folds: int,
        overrides: Mapping[str, Any] | None = None,
        on_batch: OnBatch = lambda n_done, n_all: None,
    ) -> dict[str, Any]:
        """Train by a config and judge, so many times (see mmpipe.evaluate.folds); `folds` has the figures of each."""
        from mmpipe.evaluate import folds  # brings torch

        inputs = self._inputs(gold)
        items = read_items(inputs, self.limit)
        verdicts = folds.cross_validate(
            config,
            items,
            n_folds,
            lambda nlp, some: self._judge(nlp, some, lambda n_done, n_all: None),
            self.plugins,
            strata=self._strata(items),
            overrides=overrides,
            device=self.device,
            seed=self.resampling.seed,
            on_fold=on_batch,
        )
        made = {"training": config, "overrides": dict(overrides or {}), "folds": n_folds, **self._made(inputs)}
        found = self._describe(folds.pooled(verdicts, items), made, None, on_batch)
        return {**found, "folds": plain(folds.spread(verdicts))}

    def _strata(self, items: Sequence[Placed]) -> list[str]:
        """What the records hold under the keys of gold, where that is one value: folds get about as many of each."""
        keys = [
            *self.wishes.gold.values(),
            *(metric.gold_key for metric in usable_metrics(self.plugins).values()),
        ]
        values = ([(placed.item.record or {}).get(key) for key in keys] for placed in items)
        return [
            " ".join(str(v) for v in found if isinstance(v, str | int | bool) and len(str(v)) < 80) for found in values
        ]

    def _inputs(self, names: Sequence[str]) -> list[Input]:
        return find_inputs(names, self.plugins, reader=self.reader, text_key=self.text_key)

    def _judge(self, nlp: Language, items: Sequence[Placed], on_batch: OnBatch) -> Verdict:
        tasks = tasks_of_pipeline(nlp, self.plugins, self.wishes)
        return self._run(nlp, items, tasks, on_batch)

    def _run(self, nlp: Language, items: Sequence[Placed], tasks: Sequence[Task], on_batch: OnBatch) -> Verdict:
        return judge_pipeline(nlp, items, tasks, text_key=self.text_key, batch_size=self.batch_size, on_batch=on_batch)

    def _describe(
        self, verdict: Verdict, made: Mapping[str, Any], against: str | None, on_batch: OnBatch
    ) -> dict[str, Any]:
        other = None
        if against is not None:
            other, told = self._other(against, verdict, on_batch)
            made = {**made, "against": told}
        return describe(
            verdict,
            self.resampling,
            by=self.by,
            n_worst=self.n_worst,
            text_key=self.text_key,
            provenance=made,
            against=other,
        )

    def _other(self, against: str, verdict: Verdict, on_batch: OnBatch) -> tuple[Verdict, dict[str, Any]]:
        """The verdict on another pipeline, or on other results, over the same records."""
        tasks, wishes = [judged.task for judged in verdict.judgements], replace(self.wishes, is_strict=False)
        if _is_results(against, self.plugins):
            found = self._inputs([against])
            written = read_items(found)
            others = counterparts(tasks, tasks_of_results(_records(written), self.plugins, wishes))
            made = {"results": against, "results_files": provenance.of_inputs(found)}
            return judge_results(written, verdict.items, others), made
        nlp = load(against, device=self.device)
        others = counterparts(tasks, tasks_of_pipeline(nlp, self.plugins, wishes))
        return self._run(nlp, verdict.items, others, on_batch), {"pipeline": provenance.of_pipeline(against, nlp)}

    def _made(self, inputs: Sequence[Input]) -> dict[str, Any]:
        return {
            "gold": provenance.of_inputs(inputs),
            "text_key": self.text_key,
            "limit": self.limit,
            "versions": provenance.of_versions(),
        }


def _records(items: Sequence[Placed]) -> list[dict[str, Any]]:
    return [placed.item.record for placed in items if placed.item.record is not None]


def _is_results(name: str, plugins: PluginRegistry) -> bool:
    """Whether a name is that of a file of records, rather than of a pipeline."""
    bare, _ = packed(name.lower())
    if not Path(name).is_file() or not any(bare.endswith(spec.suffixes) for spec in plugins.all("readers")):
        return False
    # A config in JSON is an object; records in JSON are an array.
    with Path(name).open("rb") as stream:
        return not name.lower().endswith(".json") or stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
