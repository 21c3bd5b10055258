"""k-fold cross-validation: train on most of the records, judge on the rest, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmpipe.corpus.jsonl import Writer
from mmpipe.errors import ConfigError, NoInputError
from mmpipe.evaluate.gold import Gold, Placed
from mmpipe.evaluate.judge import Judgement, Verdict
from mmpipe.loading import load, spacy_entry_points, use_device
from mmpipe.plugins import PluginRegistry
from mmpipe.train.config import READER, read_training
from mmpipe.train.session import BEST, LAST, train

DEV_SHARE = 0.1
"""Of a fold's training records, those that early stopping and the choice of the best checkpoint go by."""
Judge = Callable[[Any, Sequence[Placed]], Verdict]


def cross_validate(
    config: str,
    items: Sequence[Placed],
    n_folds: int,
    judge: Judge,
    plugins: PluginRegistry,
    *,
    strata: Sequence[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
    seed: int = 0,
    on_fold: Callable[[int, int], None] = lambda n_done, n_all: None,
) -> list[Verdict]:
    """The verdicts on each fold, by a pipeline that was trained without it.

    config: a training config whose corpora are mmpipe.JsonlCorpus.v1; `path` is replaced by each fold's own files,
        the other settings (`fields`, `values`, ...) stay. A tenth of the training records is held out as its dev set,
        so that the fold which is judged chooses nothing.
    judge: gives the verdict of a pipeline on some items. strata: a value of each item; each fold gets about as
    many of each. device, seed: of training, and of drawing the folds.
    Raises ConfigError where the config is not valid; NoInputError for fewer records than folds.
    """
    usable = [index for index, placed in enumerate(items) if placed.item.record is not None]
    if len(usable) < 2 * n_folds:
        raise NoInputError(
            f"{len(usable)} records are too few for {n_folds} folds", where="GOLD", next_step="use fewer --folds"
        )
    parts = split(len(usable), n_folds, strata=[strata[i] for i in usable] if strata is not None else None, seed=seed)
    found = []
    for number, part in enumerate(parts):
        rest = np.concatenate([other for other in parts if other is not part])
        n_dev = max(1, round(DEV_SHARE * len(rest)))
        rest = np.random.default_rng([seed, number]).permutation(rest)
        of = {"train": rest[n_dev:], "dev": rest[:n_dev]}
        with tempfile.TemporaryDirectory(prefix="mmpipe-") as name:
            folder = Path(name)
            own = dict(overrides or {})
            for corpus, chosen in of.items():
                own |= _corpus(corpus, folder / f"{corpus}.jsonl", [items[usable[i]] for i in chosen])
            with spacy_entry_points(plugins):
                pipeline = read_training(config, own, plugins)
                _check(pipeline.config, config)
                pipeline.raise_faults()
                use_device(pipeline.config, device)
                train(pipeline, folder / "out")
            best = folder / "out" / BEST
            nlp = load(best if best.exists() else folder / "out" / LAST, device=device)
            found.append(judge(nlp, [items[usable[i]] for i in sorted(part.tolist())]))
        on_fold(number + 1, n_folds)
    return found


def split(n: int, n_folds: int, *, strata: Sequence[str] | None = None, seed: int = 0) -> list[np.ndarray]:
    """Indices 0 to n-1 in `n_folds` parts of about one size, drawn by chance; see cross_validate for strata."""
    order = np.random.default_rng(seed).permutation(n)
    if strata is not None:
        order = np.array(sorted(order.tolist(), key=lambda index: strata[index]), dtype=int)
    return [order[first::n_folds] for first in range(n_folds)]


def pooled(verdicts: Sequence[Verdict], items: Sequence[Placed]) -> Verdict:
    """One verdict over all folds: every record judged once, by a pipeline that had not seen it."""
    joined: dict[str, Judgement] = {}
    for verdict in verdicts:
        for judged in verdict.judgements:
            whole = joined.setdefault(judged.task.name, Judgement(judged.task, Gold()))
            start = len(whole.pairs)
            whole.pairs += judged.pairs
            whole.pairs_of += [own + start for own in judged.pairs_of]
            whole.records += judged.records
            whole.origins += judged.origins
            whole.failures += judged.failures
            whole.gold.without += judged.gold.without
            whole.gold.malformed |= judged.gold.malformed
    return Verdict(list(joined.values()), list(items))


def spread(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """For each task and figure: its value on each fold, their mean and their standard deviation (n - 1).

    A value is nan on a fold where it has no meaning, or which has no gold for the task; the others count.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for number, verdict in enumerate(verdicts):
        for judged in verdict.judgements:
            figures = judged.task.metric.recounter(judged.pairs)(np.arange(len(judged.pairs)))
            own = values.setdefault(judged.task.name, {})
            for name, value in figures.items():
                own.setdefault(name, [float("nan")] * len(verdicts))[number] = value
    return {
        task: {"n": len(verdicts), "figures": {name: _spread(own) for name, own in figures.items()}}
        for task, figures in values.items()
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    known = [value for value in values if np.isfinite(value)]
    return {
        "mean": np.mean(known) if known else None,
        "standard_deviation": np.std(known, ddof=1) if len(known) > 1 else None,
        "values": values,
    }


def _corpus(name: str, file: Path, items: Sequence[Placed]) -> dict[str, Any]:
    """Write a corpus; the overrides that make the config read it."""
    with file.open("wb") as stream:
        writer = Writer(stream)
        for placed in items:
            writer.write(placed.item.record or {})
    overrides = {f"corpora.{name}.path": str(file)}
    if any(key in (placed.item.record or {}) for placed in items for key in ("image", "images")):
        roots = sorted({str(placed.root.resolve()) for placed in items})
        if len(roots) > 1:
            raise ConfigError(
                f"the images of a corpus are relative to one folder, and these records lie in {', '.join(roots)}",
                where="GOLD",
                next_step="put the records into one file, or files of one folder",
            )
        overrides[f"corpora.{name}.images"] = str(items[0].root.resolve())
    return overrides


def _check(config: Mapping[str, Any], where: str) -> None:
    corpora = config.get("corpora") or {}
    for name in ("train", "dev"):
        block = corpora.get(name) or {}
        if block.get("@readers", READER) != READER or block.get("sources"):
            raise ConfigError(
                "cross-validation gives each fold its own file, which only one `path` of records can take",
                where=f"{where}: corpora.{name}",
                next_step=f'set @readers = "{READER}" and a path, without `sources`',
            )
