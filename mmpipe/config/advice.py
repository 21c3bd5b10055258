"""What to do about a value that pydantic refuses."""

from __future__ import annotations

from typing import Any

from mmpipe.names import nearest

_KINDS = {
    "string": 'write it in quotes, as "..."',
    "int": "write a whole number",
    "float": "write a number",
    "finite": "write a finite number",
    "bool": "write true or false",
    "list": 'write a list, as ["a", "b"]',
    "tuple": 'write a list, as ["a", "b"]',
    "dict": "make it a section of its own",
    "mapping": "make it a section of its own",
    "model": "make it a section of its own",
    "none": "write null",
}
_BOUNDS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}


def advice_on(problem: Any, value: Any) -> str:
    """The next step for one entry of `ValidationError.errors()`; never empty."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "literal_error":
        options = str(context.get("expected", "")).replace(" or ", ", ").split(",")
        return nearest(str(value), [option.strip(" '") for option in options])
    if kind == "is_instance_of":
        return "make it a section with its settings, such as name = ..., or leave it out for the default"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"write a number {words} {context[bound]}"
    return _KINDS.get(kind.split("_")[0], "see the component's own description of this setting")


def told(problem: Any) -> str:
    """pydantic's message, as the rest of a sentence and in the words of a config."""
    message = problem["msg"].replace("dictionary or instance of NlpSection", "section").replace("dictionary", "section")
    return message[:1].lower() + message[1:]
