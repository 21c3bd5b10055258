"""The records of a quarantine, to do once more: `mmpipe run PIPELINE out.errors.jsonl --reader quarantine -o OUT`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmpipe.corpus import jsonl
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError


def read(source: Source) -> Iterator[Item]:
    """One item a line, with the record as it first was and the place that it came from.

    A line that holds no record becomes an item with an error. Paths of media are relative to the quarantine's folder.
    """
    for item in jsonl.read(source):
        if item.record is None:
            yield item
            continue
        record, origin = item.record.get("record"), str(item.record.get("origin") or item.origin)
        if isinstance(record, Mapping) and record.keys() - {"id"}:
            yield item._replace(origin=origin, record=dict(record))
            continue
        if "record" not in item.record:
            said, step = "is no line of a quarantine", "leave --reader out for records as they are"
        elif isinstance(record, str):
            said, step = "the record could not be read, and what stood there stands here", "mend it in the run's input"
        else:
            said, step = "holds no record: that of a private run is withheld", "run it from the run's input"
        error = RecordError(said, where=origin, next_step=step)
        yield item._replace(origin=origin, record=None, error=error, raw=record if isinstance(record, str) else None)
