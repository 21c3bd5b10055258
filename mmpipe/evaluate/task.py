"""What is judged: a component's field, by a metric, against a key of the records."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spacy.language import Language

from mmpipe.config.results import fields_of, main_field
from mmpipe.errors import ConfigError, PluginError
from mmpipe.metrics.base import Metric
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry


@dataclass(frozen=True)
class Task:
    """One field of the results to judge.

    name: the component, or the field where no pipeline is there, or where the component has several to judge.
    key: of a record, holds the gold.
    labels: the names the model uses, () where it has none or nobody knows them yet.
    """

    name: str
    field: str
    metric: Metric
    key: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """What the user said of the tasks, each by name ("" stands for all).

    gold: name -> key of a record. metrics: name -> metric. labels: name -> how gold labels map to the model's.
    is_strict: a name that is not there is an error.
    """

    gold: Mapping[str, str]
    metrics: Mapping[str, str]
    labels: Mapping[str, Mapping[str, str]]

    is_strict: bool = True

    def check(self, names: Sequence[str]) -> None:
        """Raises ConfigError for a name that is none of the tasks', unless that is let pass."""
        if not self.is_strict:
            return
        for option, given in (("--gold", self.gold), ("--metric", self.metrics), ("--labels", self.labels)):
            for name in given:
                if name and name not in names:
                    hint = nearest(name, names, listing="what can be judged")
                    raise ConfigError(f"there is no component or field {name!r} to judge", where=option, next_step=hint)


def tasks_of_pipeline(nlp: Language, plugins: PluginRegistry, wishes: Wishes) -> list[Task]:
    """A task for each component that names its metric, and for each field that the user names a metric of.

    Raises ConfigError where there is none, PluginError for a metric that no plugin provides.
    """
    found, names = [], []
    for name, pipe in nlp.pipeline:
        kinds = _metrics_of(nlp, name, wishes)
        for field, kind in kinds.items():
            labels = tuple(getattr(pipe, "labels", None) or ())
            try:
                task = _task(name, field, kind, labels, plugins, wishes)
            except PluginError as error:
                error.where = error.where or f"components.{name}"
                raise
            found.append(replace(task, name=field) if len(kinds) > 1 else task)
            names += [name, field]
    if not found:
        raise ConfigError(
            f"no component of the pipeline says how it is judged: {', '.join(nlp.pipe_names)}",
            next_step=f"name a field and its metric: --metric FIELD=METRIC; metrics: {_listed(plugins)}",
        )
    wishes.check(names)
    return found


def _metrics_of(nlp: Language, name: str, wishes: Wishes) -> dict[str, str]:
    """Field -> metric, for the fields of a component that are to be judged.

    The metric is what the user named for the field, or for the component, else what the component's own attribute
    `metric` says of its main field.
    """
    own, main = getattr(nlp.get_pipe(name), "metric", None), main_field(nlp, name)
    found = {}
    for field in fields_of(nlp, name):
        is_main = field == main
        kind = wishes.metrics.get(field, wishes.metrics.get(name) if is_main or main is None else None)
        if kind is None and is_main and isinstance(own, str):
            kind = own
        if kind is not None:
            found[field] = kind
    return found


def tasks_of_results(results: Sequence[Mapping[str, Any]], plugins: PluginRegistry, wishes: Wishes) -> list[Task]:
    """A task for each field that a metric recognises, or that the user names a metric of.

    Raises ConfigError where there is none.
    """
    kinds = usable_metrics(plugins)
    fields = {field for record in results for field in record}
    chosen = {field: kind for field, kind in wishes.metrics.items() if wishes.is_strict or field in fields}
    golds = set(wishes.gold.values())
    for record in results:
        for field, value in record.items():
            if field not in chosen and field not in golds:
                fitting = [name for name, metric in kinds.items() if metric.recognises(value)]
                if fitting:
                    chosen[field] = fitting[0]
    if not chosen:
        keys = ", ".join(dict.fromkeys(key for record in results for key in record))
        raise ConfigError(
            f"no field of the results looks like what a metric judges: {keys}",
            next_step=f"name a field and its metric: --metric FIELD=METRIC; metrics: {_listed(plugins)}",
        )
    wishes.check(list(chosen))
    tasks = [_task(field, field, kind, (), plugins, wishes) for field, kind in chosen.items()]
    return [replace(task, labels=_labels(task, results)) for task in tasks]


def usable_metrics(plugins: PluginRegistry) -> dict[str, type[Metric]]:
    """All that can be imported, by name: one that cannot stands in the way of nobody who does not ask for it."""
    found = {}
    for name in plugins.names("metrics"):
        with contextlib.suppress(PluginError):
            found[name] = plugins.code("metrics", name)
    return found


def _labels(task: Task, results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return next((labels for record in results if (labels := task.metric.labels_in(record.get(task.field)))), ())


def counterparts(tasks: Sequence[Task], others: Sequence[Task]) -> list[Task]:
    """The others that judge what the tasks judge: of the same name, else of a metric that each has once.

    They take the task's key of the gold and what its labels mean. Raises ConfigError where there is none.
    """
    found = []
    for task in tasks:
        kinds = [[one for one in side if one.metric.name == task.metric.name] for side in (tasks, others)]
        same = [one for one in kinds[1] if one.name == task.name]
        if same or len(kinds[0]) == len(kinds[1]) == 1:
            other = (same or kinds[1])[0]
            metric = type(other.metric)(labels=task.metric.labels)
            found.append(replace(other, key=task.key, metric=metric))
    if not found:
        raise ConfigError(
            f"nothing there is judged by the metric of {', '.join(task.name for task in tasks)}",
            where="--against",
            next_step="name what comes from a component of the same name, or of the same metric",
        )
    return found


def _task(name: str, field: str, kind: str, labels: tuple[str, ...], plugins: PluginRegistry, wishes: Wishes) -> Task:
    mapping = wishes.labels.get(name, wishes.labels.get(field, wishes.labels.get("", {})))
    metric = plugins.code("metrics", kind)(labels=mapping)
    key = wishes.gold.get(name, wishes.gold.get(field, wishes.gold.get("", metric.gold_key)))
    return Task(name, field, metric, key, labels)


def _listed(plugins: PluginRegistry) -> str:
    return ", ".join(plugins.names("metrics"))
