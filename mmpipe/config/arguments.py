"""The settings that a registered function takes, read from its signature, and checks of a block against them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ConfigDict, ValidationError, create_model

from mmpipe.config.advice import advice_on, told
from mmpipe.errors import Fault
from mmpipe.names import nearest

_NOT_SETTINGS = frozenset({"nlp", "name"})


def check_block(function: Callable, block: Mapping[str, Any], *, section: str, is_factory: bool) -> Iterator[Fault]:
    """Every fault of a config block, held against the parameters of the function that will receive it.

    is_factory: the function is a spaCy component factory, whose `nlp` and `name` are not settings.
    """
    fields: dict[str, Any] = {}
    hints = _hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if is_factory and name in _NOT_SETTINGS:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if parameter.kind is parameter.VAR_KEYWORD:
                return
            continue
        annotation = hints.get(name, Any)
        # A block such as {"@architectures": ...} becomes an object later; it is checked on its own.
        if holds_function(block.get(name)):
            annotation = Any
        elif Path in (annotation, *get_args(annotation)):
            annotation = str | annotation  # A config has no paths of its own; confection makes one of a string.
        fields[name] = (
            annotation,
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
    settings = {key: value for key, value in block.items() if not key.startswith("@") and key != "factory"}
    for name in [name for name in settings if name not in fields]:
        yield Fault(
            f"{section}.{name}",
            f"unknown setting (value {shortened(settings.pop(name))})",
            nearest(name, fields, listing="settings"),
        )
    # Aliased, because a setting may be called what a pydantic model's own attribute is called.
    aliased = {f"setting_{i}": (annotation, default) for i, (annotation, default) in enumerate(fields.values())}
    names = list(fields)
    schema = create_model("Settings", __config__=ConfigDict(arbitrary_types_allowed=True, strict=True), **aliased)
    try:
        schema.model_validate({f"setting_{names.index(name)}": value for name, value in settings.items()})
    except ValidationError as error:
        for problem in error.errors():
            yield _fault(problem, section, names, settings)


def holds_function(value: Any) -> bool:
    """Whether a config value names a registered function: {"@architectures": "mmpipe.Seq2Seq.v1", ...}."""
    return isinstance(value, Mapping) and any(str(key).startswith("@") for key in value)


def _fault(problem: Any, section: str, names: list[str], settings: Mapping[str, Any]) -> Fault:
    first, *rest = problem["loc"]
    name = names[int(str(first).removeprefix("setting_"))]
    where, value = f"{section}.{name}", settings.get(name)
    if problem["type"] == "missing" and name not in settings:
        return Fault(where, "missing", f"add {name} = ... to [{section}]")
    for step in rest:
        # pydantic's places also name members of unions; only those that the config has are places in it.
        if (isinstance(value, Mapping) and step in value) or (isinstance(value, list) and isinstance(step, int)):
            where, value = f"{where}.{step}", value[step]
    if problem["type"] == "extra_forbidden":
        return Fault(where if where.endswith(f".{rest[-1]}") else f"{where}.{rest[-1]}", "unknown setting", "remove it")
    return Fault(where, f"{shortened(value)}: {told(problem)}", advice_on(problem, value))


def shortened(value: Any, most: int = 80) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _hints(function: Callable) -> dict[str, Any]:
    """Each parameter's annotation, evaluated on its own: one that cannot be (TYPE_CHECKING) hides no other."""
    hints = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, getattr(inspect.unwrap(function), "__globals__", {}))
            except Exception:
                annotation = Any
        hints[name] = annotation
    return hints
