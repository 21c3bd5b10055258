"""Results to look at: texts with what was found in them, images with their captions."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from mmpipe.errors import MmpipeError

_MOST_CHARS, _SIDE = 1200, 240
_COLOURS = ("#cfe8ff", "#ffe3a8", "#c9f0dc", "#f3d3e6", "#e0dcff", "#ffd4c2")


def example(result: Mapping[str, Any], folders: list[Path]) -> str:
    """One result. folders: where its images may be."""
    name = escape(str(result.get("id", "")))
    shown = [f"<p><b>{name}</b></p>", _images(result, folders), _text(result), _fields(result)]
    return f'<div class="example">{"".join(shown)}</div>'


def spans_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What stands in the text: answers, and the sentences of summaries, none over another, in order."""
    found = []
    for field, value in result.items():
        parts = value.get("sentences") if isinstance(value, Mapping) else value
        for one in parts if isinstance(parts, list) else ():
            place = (one.get("start"), one.get("end")) if isinstance(one, Mapping) else (None, None)
            if all(isinstance(where, int) for where in place):
                found.append({"start": place[0], "end": place[1], "label": str(one.get("question") or field)})
    kept: list[dict[str, Any]] = []
    for span in sorted(found, key=lambda span: (span["start"], -span["end"])):
        if not kept or span["start"] >= kept[-1]["end"]:
            kept.append(span)
    return kept


def _text(result: Mapping[str, Any]) -> str:
    text = result.get("text")
    if not isinstance(text, str) or not text.strip():
        return ""
    from spacy import displacy

    spans = [span for span in spans_of(result) if span["end"] <= _MOST_CHARS]
    labels = list(dict.fromkeys(span["label"] for span in spans))
    colours = {label: _COLOURS[i % len(_COLOURS)] for i, label in enumerate(labels)}
    cut = text[:_MOST_CHARS] + (" …" if len(text) > _MOST_CHARS else "")
    drawn = displacy.render(
        {"text": cut, "ents": spans, "title": None},
        style="ent",
        manual=True,
        jupyter=False,
        options={"colors": colours},
    )
    return str(drawn)


def _fields(result: Mapping[str, Any]) -> str:
    """Labels, scores and written texts, a line a field."""
    lines = []
    for field, value in result.items():
        if field in ("id", "text") or not isinstance(value, dict | list) or not value:
            continue
        told = json.dumps(value, ensure_ascii=False)
        if isinstance(value, Mapping) and "label" in value:
            told = f"{value['label']} {_number(value.get('score'))}"
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) and "text" in one for one in value):
            names = [str(one.get("question") or one.get("image") or "") for one in value]
            told = "; ".join(
                f"{name} {one['text'] or '(none)'}".strip() for name, one in zip(names, value, strict=True)
            )
        elif isinstance(value, Mapping) and isinstance(value.get("text"), str):
            told = value["text"]
        lines.append(f'<div><span class="faint">{escape(field)}</span> {escape(told[:400])}</div>')
    return "".join(lines)


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else ""


def _images(result: Mapping[str, Any], folders: list[Path]) -> str:
    paths = [result.get("image"), *(result.get("images") or [])]
    drawn = [_thumbnail(path, folders) for path in paths if isinstance(path, str)]
    return "".join(f'<img alt="" src="{uri}"> ' for uri in drawn if uri)


def _thumbnail(path: str, folders: list[Path]) -> str | None:
    """A small JPEG as a data URI; None where the image is not there or cannot be opened."""
    from mmpipe.media.image import open_image
    from mmpipe.media.policy import MediaPolicy
    from mmpipe.media.reference import make_reference

    for folder in folders:
        try:
            image = open_image(make_reference(path, folder, MediaPolicy(), "record"), MediaPolicy(), "record")
        except MmpipeError:
            continue
        image.thumbnail((_SIDE, _SIDE))
        written = io.BytesIO()
        image.save(written, "JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode("ascii")
    return None
