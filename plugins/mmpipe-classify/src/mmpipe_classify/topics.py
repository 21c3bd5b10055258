"""What a text may be about: labels as the user gives them, and the sentences that a model weighs them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmpipe import ConfigError

_KEYS = ("name", "description", "examples")


@dataclass(frozen=True)
class Label:
    """One label.

    description: what stands in the hypothesis in place of the name. examples: texts that have the label.
    """

    name: str
    description: str | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topics:
    """The question that a model is asked of each text.

    template: holds `{}`, where the description of a label, or else its name, goes.
    is_multi_label: whether each label is weighed on its own, instead of against the others.
    """

    labels: tuple[Label, ...]
    template: str
    is_multi_label: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def hypotheses(self) -> list[str]:
        """The sentence that says that a text has the label, one a label."""
        return [self.template.format(label.description or label.name) for label in self.labels]


def read_labels(given: Any, where: str) -> tuple[Label, ...]:
    """The labels of a config: names, tables {name, description, examples}, or a dict from names to what they mean.

    In a dict, text is a description and a list holds examples. Raises ConfigError for anything else, for a name that
    stands twice, and for no labels at all.
    """
    entries = list(given.items()) if isinstance(given, Mapping) else [_entry(one, where) for one in _listed(given)]
    labels = tuple(_label(name, meaning, where) for name, meaning in entries)
    count = Counter(label.name for label in labels)
    if not labels:
        raise ConfigError("there are no labels", where=where, next_step='name some: labels = ["sport", "politics"]')
    if twice := [name for name, n in count.items() if n > 1]:
        raise ConfigError(f"the label {twice[0]!r} stands twice", where=where, next_step="name each label once")
    return labels


def check_template(template: str, where: str) -> None:
    """Raises ConfigError for a template that has no place for a label, or more than one."""
    try:
        first, second = template.format("\0"), template.format("\1")
        is_right = first.count("\0") == 1 and first.replace("\0", "\1") == second
    except (IndexError, KeyError, ValueError):
        is_right = False
    if not is_right:
        raise ConfigError(
            f"{template!r} has no single {{}} for the label",
            where=where,
            next_step='write a sentence such as "This text is about {}."',
        )


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else []


def _entry(one: Any, where: str) -> tuple[Any, Any]:
    if isinstance(one, Mapping):
        return one.get("name"), {key: value for key, value in one.items() if key != "name"}
    return one, None


def _label(name: Any, meaning: Any, where: str) -> Label:
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(
            f"a label must have a name, got {name!r}", where=where, next_step='for example labels = ["sport"]'
        )
    if isinstance(meaning, str):
        meaning = {"description": meaning}
    elif isinstance(meaning, list | tuple):
        meaning = {"examples": meaning}
    table = meaning or {}
    description, examples = table.get("description"), table.get("examples") or []
    unknown = sorted(set(table) - set(_KEYS))
    is_right = isinstance(examples, list | tuple) and all(isinstance(text, str) and text.strip() for text in examples)
    is_right = is_right and (description is None or (isinstance(description, str) and bool(description.strip())))
    if unknown or not is_right:
        fault = f"an unknown key {unknown[0]!r}" if unknown else f"a wrong value: {meaning!r:.80}"
        raise ConfigError(
            f"the label {name!r} has {fault}",
            where=where,
            next_step="give it a description (text), examples (a list of texts), or both",
        )
    return Label(name, description, tuple(examples))
