"""Images: a file is a record. What more is known of them stands in a sidecar, captions.jsonl or captions.csv.

A sidecar lies in the images' folder, or above it in the corpus. Each of its records names an `image`, relative to the
sidecar's own folder; its other keys (`captions`, ...) go into that image's record. It is held in memory.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmpipe.corpus import jsonl, table
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import NoInputError, RecordError

SIDECARS = {"captions.jsonl": jsonl.read, "captions.csv": table.read}

logger = logging.getLogger("mmpipe")


def read(source: Source) -> Iterator[Item]:
    """One item: `id`, `image` relative to the corpus folder, and what a sidecar has of it. No image is opened.

    Of a sidecar in a folder that is read: one item for each of its records that cannot be used, with the error.
    """
    if source.path is None:
        raise NoInputError("standard input holds no images", where=source.name, next_step="name files or a folder")
    if source.path.name in SIDECARS:
        yield from _load(source.path, source.path.stat().st_mtime_ns, source.fallback)[1]
        return
    image = source.path.relative_to(source.root).as_posix()
    record = {"id": source.name, "image": image, **_more(source)}
    yield Item(source.name, record, n_bytes=source.size, offset=0)


def _more(source: Source) -> dict[str, Any]:
    """What the nearest sidecar that knows the image has of it."""
    path = source.path
    for folder in path.parents:
        for name in SIDECARS:
            sidecar = folder / name
            try:
                changed = sidecar.stat().st_mtime_ns
            except OSError:
                continue
            known, _ = _load(sidecar, changed, source.fallback)
            if (key := path.relative_to(folder).as_posix()) in known:
                return known[key]
        if folder == source.root:
            break
    return {}


@functools.lru_cache(maxsize=16)
def _load(path: Path, changed: int, fallback: str | None) -> tuple[dict[str, dict[str, Any]], list[Item]]:
    """Image -> what a sidecar has of it; and its records that cannot be used. `changed` is for the cache."""
    source = Source(path, path.name, path.parent, fallback=fallback)
    known: dict[str, dict[str, Any]] = {}
    faults: list[Item] = []
    for item in SIDECARS[path.name](source):
        problem = item.error or _fault(item, path.parent, known)
        if problem is not None:
            faults.append(Item(item.origin, item.record, problem, item.raw, item.n_bytes, item.offset))
        else:
            image = str(item.record["image"])
            known[Path(image).as_posix()] = {key: value for key, value in item.record.items() if key != "image"}
    if faults:
        logger.warning("%s: %d of its records cannot be used; the first: %s", path, len(faults), faults[0].error)
    return known, faults


def _fault(item: Item, folder: Path, known: dict[str, Any]) -> RecordError | None:
    image = (item.record or {}).get("image")
    if not isinstance(image, str) or not image:
        what, step = "has no `image`", 'write {"image": "name.jpg", "captions": [...]}'
    elif Path(image).as_posix() in known:
        what, step = f"names {image!r} a second time", "put both records into one"
    elif "\0" in image or not (folder / image).is_file():
        what, step = f"names {image[:200]!r}, which is not there", "name images relative to the sidecar's folder"
    else:
        return None
    return RecordError(what, where=item.origin, next_step=step)
