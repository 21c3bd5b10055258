"""What an evaluation says, as plain JSON of a stable shape."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmpipe.evaluate.gold import digest
from mmpipe.evaluate.judge import Judgement, Verdict
from mmpipe.evaluate.resample import Recount, Resampling, differences, intervals
from mmpipe.evaluate.slices import slices

SCHEMA = "mmpipe.evaluation.v1"
MAX_NAMED = 100
"""Records named one by one, of those without gold and of those that failed; the numbers are of all."""


def describe(
    verdict: Verdict,
    resampling: Resampling,
    *,
    by: Sequence[str] = (),
    n_worst: int = 10,
    text_key: str = "text",
    provenance: Mapping[str, Any] | None = None,
    against: Verdict | None = None,
) -> dict[str, Any]:
    """The whole evaluation.

    by: keys of the records to slice by. n_worst: how many of the worst pairs to list. provenance: what it was made
    with. against: another verdict on the same records; tasks are matched by name, or by metric where each has one.
    """
    tasks = {}
    for judged in verdict.judgements:
        recount = judged.task.metric.recounter(judged.pairs)
        told = _figures(judged, recount, resampling)
        told["slices"] = {key: _slices(judged, recount, key, resampling) for key in by}
        told["worst"] = _worst(judged, n_worst, text_key)
        told["charts"] = [_chart(chart) for chart in judged.task.metric.charts(judged.pairs)]
        other = None if against is None else _counterpart(judged, verdict, against)
        told["against"] = None if other is None else _against(judged, recount, other, resampling)
        tasks[judged.task.name] = told
    failed = {failure["origin"] for judged in verdict.judgements for failure in judged.failures}
    found = {
        "schema": SCHEMA,
        "provenance": dict(provenance or {}),
        "data_sha256": digest(verdict.items),
        "counts": {"read": len(verdict.items), "unread": len(verdict.unread), "failed": len(failed)},
        "resampling": dataclasses.asdict(resampling),
        "tasks": tasks,
        "unread": verdict.unread[:MAX_NAMED],
    }
    return plain(found)


def plain(value: Any) -> Any:
    """The value as JSON has it: numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def n_troubled(evaluation: Mapping[str, Any]) -> int:
    """Records that could not be read, failed, or whose gold is malformed."""
    malformed = sum(task["counts"]["malformed"] for task in evaluation["tasks"].values())
    return evaluation["counts"]["unread"] + evaluation["counts"]["failed"] + malformed


def _figures(judged: Judgement, recount: Recount, resampling: Resampling) -> dict[str, Any]:
    task, gold = judged.task, judged.gold
    malformed = [{"origin": origin, "message": error.what} for origin, error in gold.malformed.items()]
    return {
        "metric": task.metric.name,
        "field": task.field,
        "gold_key": task.key,
        "headline": task.metric.headline,
        "counts": {
            "records": len(judged.records),
            "pairs": len(judged.pairs),
            "without_gold": len(gold.without),
            "malformed": len(malformed),
            "failed": len(judged.failures),
        },
        "figures": task.metric.measure(judged.pairs),
        "intervals": intervals(recount, judged.pairs_of, resampling),
        "without_gold": gold.without[:MAX_NAMED],
        "malformed": malformed[:MAX_NAMED],
        "failures": judged.failures[:MAX_NAMED],
    }


def _slices(judged: Judgement, recount: Recount, key: str, resampling: Resampling) -> dict[str, Any]:
    headline, found = judged.task.metric.headline, {}

    def main(some: np.ndarray) -> dict[str, float]:
        return {headline: recount(some)[headline]}

    for name, records in slices(judged.records, key).items():
        pairs_of = [judged.pairs_of[i] for i in records]
        chosen = np.concatenate(pairs_of)
        if not len(chosen):
            continue
        around = intervals(main, pairs_of, resampling)
        found[name] = {
            "records": len(records),
            "pairs": len(chosen),
            "figures": recount(chosen),
            "interval": around.get(headline),
        }
    return found


def _worst(judged: Judgement, n_worst: int, text_key: str) -> list[dict[str, Any]]:
    metric = judged.task.metric
    scores = np.asarray(metric.judge_each(judged.pairs), dtype=float)
    record_of = np.repeat(np.arange(len(judged.records)), [len(own) for own in judged.pairs_of])
    found = []
    for i in np.argsort(scores, kind="stable")[:n_worst]:
        gold, predicted = metric.show(judged.pairs[i])
        record = judged.records[record_of[i]]
        found.append(
            {
                "origin": judged.origins[record_of[i]],
                "id": record.get("id"),
                "key": judged.pairs[i].key,
                "score": scores[i],
                "gold": gold,
                "predicted": predicted,
                "text": str(record.get(text_key) or "")[:1000],
            }
        )
    return found


def _chart(chart: Any) -> dict[str, Any]:
    return dataclasses.asdict(chart)


def _counterpart(judged: Judgement, verdict: Verdict, against: Verdict) -> Judgement | None:
    by_name = {other.task.name: other for other in against.judgements}
    if judged.task.name in by_name:
        return by_name[judged.task.name]
    kind = judged.task.metric.name
    mine, theirs = ([one for one in each.judgements if one.task.metric.name == kind] for each in (verdict, against))
    return theirs[0] if len(mine) == len(theirs) == 1 else None


def _against(judged: Judgement, recount: Recount, other: Judgement, resampling: Resampling) -> dict[str, Any]:
    """Figures of the other, and the differences (this one minus the other) on the records that both judged."""
    theirs = {origin: own for origin, own in zip(other.origins, other.pairs_of, strict=True)}
    shared = [i for i, origin in enumerate(judged.origins) if origin in theirs]
    recount_other = other.task.metric.recounter(other.pairs)
    pairs_of_other = [theirs[judged.origins[i]] for i in shared]
    found = (
        differences(recount, recount_other, [judged.pairs_of[i] for i in shared], pairs_of_other, resampling)
        if shared
        else {}
    )
    return {
        "task": other.task.name,
        "records": len(shared),
        "figures": recount_other(np.concatenate(pairs_of_other)) if shared else {},
        "differences": {name: dataclasses.asdict(one) for name, one in found.items()},
    }
