"""JSON lines: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from mmpipe.corpus.decoding import Line, lines, not_text, shown
from mmpipe.corpus.source import Item, Source
from mmpipe.errors import RecordError
from mmpipe.plain import dumps

if TYPE_CHECKING:
    from mmpipe.corpus.columns import Columns


def read(source: Source) -> Iterator[Item]:
    """One item a line that is not blank. A line that is no JSON object becomes an item with an error."""
    with source.open() as stream:
        for line in lines(stream, source.fallback):
            if line.data.isspace():
                continue
            origin = f"{source.name}:{line.number}"
            try:
                yield Item(origin, _parse(line, origin, source.fallback), n_bytes=line.end, offset=line.offset)
            except RecordError as error:
                raw = shown(line.data)
                yield Item(origin, error=error, raw=raw, n_bytes=line.end, offset=line.offset)


def _parse(line: Line, origin: str, fallback: str | None) -> dict[str, Any]:
    if line.text is None:
        raise not_text(line.data, origin, fallback)
    try:
        record = _DECODER.decode(line.text)
    except RecursionError:
        raise RecordError("the JSON is nested too deeply", where=origin, next_step="flatten the record") from None
    except ValueError as error:
        raise RecordError(f"not JSON: {error}", where=origin, next_step="write one JSON object a line") from None
    if not isinstance(record, dict):
        raise not_an_object(record, origin)
    return record


def not_an_object(value: Any, origin: str) -> RecordError:
    return RecordError(
        f"a record must be a JSON object, got {type(value).__name__}", where=origin, next_step='write {"text": "..."}'
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def encode(result: Any) -> bytes:
    """JSON on one line. Raises ValueError or TypeError where the value is not JSON data."""
    try:
        return dumps(result).encode("utf-8")
    except UnicodeEncodeError:
        # Half a surrogate pair is no text, but JSON can spell it.
        return json.dumps(result, allow_nan=False).encode("ascii")


class Writer:
    """Writes results as JSON lines to a binary stream. Columns do not matter: a line holds all of a result."""

    def __init__(self, stream: BinaryIO, columns: Columns | None = None) -> None:
        self.stream = stream

    def write(self, result: Mapping[str, Any]) -> None:
        self.stream.write(encode(result) + b"\n")

    def close(self) -> None:
        """Nothing is left to write."""
