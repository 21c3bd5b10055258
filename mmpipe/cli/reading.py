"""Values of a result as a person reads them: short, and one entry of a list a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MOST_CHARS, _MOST_ENTRIES = 160, 10


def reading(value: Any) -> str:
    """A dict by its text, its label and score, or its keys; a list by its entries; "" for what says nothing."""
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, Mapping):
        return _plain(value)
    if "text" in value:
        return "(none)" if value["text"] is None else str(value["text"])
    label, score = label_of(value), value.get("score")
    if label is not None and _is_number(score):
        return f"{label} {score:.2f}"
    return ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())


def shortened(text: str, most: int = _MOST_CHARS) -> str:
    """On one line, its end left out where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def label_of(value: Any) -> str | None:
    """The label that a result names."""
    label = value.get("label") if isinstance(value, Mapping) else None
    return label if isinstance(label, str) else None


def _of_list(values: list[Any]) -> str:
    if not all(isinstance(one, Mapping) for one in values):
        return shortened(", ".join(_plain(one) for one in values))
    lines = []
    for one in values[:_MOST_ENTRIES]:
        heading = str(one.get("question") or one.get("image") or "") if "text" in one else ""
        lines.append(f"{heading} {reading(one)}".strip())
    left = len(values) - len(lines)
    return "\n".join([*lines, f"and {left:,} more"] if left else lines)


def _plain(value: Any) -> str:
    """On one line, whatever it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    return shortened(json.dumps(value, ensure_ascii=False))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
