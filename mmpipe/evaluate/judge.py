"""Predictions beside gold: from a pipeline, or from results that were written before."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spacy.language import Language

from mmpipe.config.results import fields_of
from mmpipe.corpus.process import Failure, Processor
from mmpipe.errors import ConfigError, MmpipeError, RecordError
from mmpipe.evaluate.gold import Gold, Placed, read_gold
from mmpipe.evaluate.task import Task
from mmpipe.metrics.base import Pair
from mmpipe.redaction import redactors_of


@dataclass
class Judgement:
    """The pairs of one task.

    records, origins: of the records that gave pairs. pairs_of: the indices in `pairs` of each. failures: what
    happened to records that have gold and gave none, as an errors file shows it.
    """

    task: Task
    gold: Gold
    records: list[Mapping[str, Any]] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    pairs_of: list[np.ndarray] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, index: int, item: Any, outcome: Mapping[str, Any] | Failure) -> None:
        """Judge one record, if it has gold for this task. outcome: its result, or why it has none."""
        if index not in self.gold.of:
            return
        if isinstance(outcome, Failure):
            self._fail(outcome)
            return
        try:
            found = self.task.metric.pairs(self.gold.of[index], outcome.get(self.task.field))
        except RecordError as error:
            error.where = error.where or item.origin
            self._fail(Failure(item.origin, self.task.name, error, None))
            return
        start = len(self.pairs)
        self.pairs += found
        self.records.append(item.record)
        self.origins.append(item.origin)
        self.pairs_of.append(np.arange(start, len(self.pairs)))

    def _fail(self, failure: Failure) -> None:
        told = failure.as_dict()
        self.failures.append({key: told[key] for key in ("origin", "component", "error", "message", "next_step")})


@dataclass(frozen=True)
class Verdict:
    """All judgements, and the records as they were read."""

    judgements: list[Judgement]
    items: list[Placed]

    @property
    def unread(self) -> list[dict[str, Any]]:
        """What stood where no record could be read."""
        return [
            {"origin": placed.item.origin, "error": type(placed.item.error).__name__, "message": placed.item.error.what}
            for placed in self.items
            if placed.item.error is not None
        ]


def judge_pipeline(
    nlp: Language,
    items: Sequence[Placed],
    tasks: Sequence[Task],
    *,
    text_key: str = "text",
    batch_size: int = 256,
    on_batch: Callable[[int, int], None] = lambda n_done, n_all: None,
) -> Verdict:
    """Run the pipeline over the records that have gold, and judge what it says.

    The pipeline sees a record without the keys that its own components write to: gold answers under `answers` do not
    stand in the way of a component with that field. on_batch: called with numbers of records.
    Raises as `read_gold`, and MmpipeError where not one record came through.
    """
    if redactors_of(nlp):
        raise ConfigError(
            "the texts of this pipeline's runs are private, and an evaluation shows some",
            next_step="evaluate the pipeline with the `private` of its component set to false",
        )
    golds = read_gold(items, tasks)
    judgements = [Judgement(task, golds[task.name]) for task in tasks if task.name in golds]
    processor = Processor(nlp, text_key=text_key)
    hidden = _fields(nlp) - {text_key}
    wanted = [index for index, _ in enumerate(items) if any(index in judged.gold.of for judged in judgements)]
    n_done = 0
    for batch, root in _batches(wanted, items, batch_size):
        given = [_without(items[index].item, hidden) for index in batch]
        for index, outcome in zip(batch, processor.process(given, root=root), strict=True):
            for judged in judgements:
                judged.add(index, items[index].item, outcome)
        n_done += len(batch)
        on_batch(n_done, len(wanted))
    return _verdict(judgements, items)


def judge_results(results: Sequence[Placed], items: Sequence[Placed] | None, tasks: Sequence[Task]) -> Verdict:
    """Judge results that were written before.

    items: the records that hold the gold, joined with the results by `id` (that of a record without one is where it
    stood, as `mmpipe run` has it); None where the results hold it themselves. Tasks whose gold would then be the
    prediction itself have none, and are left out.
    Raises as `read_gold`; ConfigError where no other task is left.
    """
    own = [task for task in tasks if items is None and task.key == task.field]
    if own and len(own) == len(tasks):
        task = own[0]
        raise ConfigError(
            f"the results hold predictions under {task.key!r}, where the gold should be",
            where=task.name,
            next_step=f"name the key of the gold with --gold {task.name}=KEY, or the file that holds it as GOLD",
        )
    tasks = [task for task in tasks if task not in own]
    read = results if items is None else items
    golds = read_gold(read, tasks)
    judgements = [Judgement(task, golds[task.name]) for task in tasks if task.name in golds]
    by_id = {_id(placed): placed.item.record for placed in results if placed.item.record is not None}
    times = Counter(_id(placed) for placed in results if placed.item.record is not None)
    for index, placed in enumerate(read):
        outcome = placed.item.record if items is None else by_id.get(_id(placed))
        if outcome is None:
            missing = RecordError(f"the results hold no record with the id {_id(placed)!r}", where=placed.item.origin)
            outcome = Failure(placed.item.origin, None, missing, placed.item.record)
        elif items is not None and times[_id(placed)] > 1:
            said = f"the results hold {times[_id(placed)]} records with the id {_id(placed)!r}"
            unclear = RecordError(said, where=placed.item.origin, next_step="give each record an id of its own")
            outcome = Failure(placed.item.origin, None, unclear, placed.item.record)
        for judged in judgements:
            judged.add(index, placed.item, outcome)
    return _verdict(judgements, read)


def _verdict(judgements: list[Judgement], items: Sequence[Placed]) -> Verdict:
    for judged in judgements:
        if not judged.pairs:
            first = judged.failures[0]
            raise MmpipeError(
                f"not one record could be judged; the first: {first['error']}: {first['message']}",
                where=f"{judged.task.name}: {first['origin']}",
                next_step=first["next_step"],
            )
    return Verdict(judgements, list(items))


def _fields(nlp: Language) -> set[str]:
    """The keys of a result that the pipeline's components write."""
    return {field for name in nlp.pipe_names for field in fields_of(nlp, name)} | {"ents", "cats"}


def _without(item: Any, hidden: set[str]) -> Any:
    if item.record is None or not hidden & item.record.keys():
        return item
    return item._replace(record={key: value for key, value in item.record.items() if key not in hidden})


def _batches(wanted: Sequence[int], items: Sequence[Placed], size: int) -> Iterator[tuple[list[int], Any]]:
    """Batches of records whose media are relative to one folder."""
    for root, group in itertools.groupby(wanted, key=lambda index: items[index].root):
        while batch := list(itertools.islice(group, size)):
            yield batch, root


def _id(placed: Placed) -> str:
    record = placed.item.record or {}
    return str(record["id"]) if record.get("id") is not None else placed.item.origin
