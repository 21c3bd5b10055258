"""The records to judge by, read whole before anything is predicted, so that faults are told at once."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmpipe.corpus.source import Input, Item
from mmpipe.errors import MmpipeError, NoInputError, RecordError
from mmpipe.evaluate.task import Task
from mmpipe.metrics.extras import need
from mmpipe.names import nearest
from mmpipe.plain import dumps


@dataclass(frozen=True)
class Placed:
    """An item and the folder that its media are relative to."""

    item: Item
    root: Path


@dataclass
class Gold:
    """What the records hold for one task.

    of: index of a record -> its gold. without: origins of the records that have none. malformed: origin -> fault.
    """

    of: dict[int, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    malformed: dict[str, RecordError] = field(default_factory=dict)


def read_items(inputs: Sequence[Input], limit: int | None = None) -> list[Placed]:
    """All items, or the first `limit`. Raises NoInputError where there is none."""
    pairs = (Placed(item, given.source.root) for given in inputs for item in given)
    found = list(itertools.islice(pairs, limit))
    if not found:
        names = ", ".join(given.source.name for given in inputs)
        raise NoInputError("no records", where=names, next_step="name a file that holds some")
    return found


def read_gold(items: Sequence[Placed], tasks: Sequence[Task]) -> dict[str, Gold]:
    """The gold of each task, by its name; tasks of which no record has gold are left out.

    Raises ConfigError where gold cannot be judged (labels the model does not have), NoInputError where no record
    has gold for any task, RecordError where all that there is is malformed.
    """
    found = {task.name: Gold() for task in tasks}
    for index, placed in enumerate(items):
        item = placed.item
        for task in tasks if item.record is not None else ():
            gold = found[task.name]
            try:
                value = task.metric.read_gold(item.record, task.key)
            except RecordError as error:
                gold.malformed[item.origin] = error
                continue
            if value is None:
                gold.without.append(item.origin)
            else:
                gold.of[index] = value
    judged = [task for task in tasks if found[task.name].of]
    if not judged:
        raise _nothing(items, tasks, found)
    for task in judged:
        for package in task.metric.packages:
            need(package, f"the metric {task.metric.name!r}")
        try:
            task.metric.check(found[task.name].of.values(), task.labels)
        except MmpipeError as error:
            error.where = error.where or f"{task.name}: gold under {task.key!r}"
            raise
    return {task.name: found[task.name] for task in judged}


def digest(items: Sequence[Placed]) -> str:
    """SHA-256 over the records that were read, in order."""
    seen = hashlib.sha256()
    for placed in items:
        item = placed.item
        seen.update(
            (dumps(item.record) if item.record is not None else str(item.raw)).encode("utf-8", "replace") + b"\n"
        )
    return seen.hexdigest()


def _nothing(items: Sequence[Placed], tasks: Sequence[Task], found: dict[str, Gold]) -> MmpipeError:
    for task in tasks:
        for error in found[task.name].malformed.values():
            return error
    keys = Counter(key for placed in items for key in placed.item.record or ())
    wanted = ", ".join(f"{task.name}: {task.key!r}" for task in tasks)
    hint = nearest(tasks[0].key, keys, listing="their keys")
    return NoInputError(
        f"none of {len(items):,} records has gold ({wanted})",
        where="GOLD",
        next_step=f"{hint}; name the key that holds it: --gold {tasks[0].name}=KEY",
    )
