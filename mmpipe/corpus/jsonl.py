"""JSON lines: one JSON object a line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from mmpipe.corpus.source import Item, Source
from mmpipe.document import dumps
from mmpipe.errors import RecordError


def read(source: Source) -> Iterator[Item]:
    """One item a line that is not blank. A line that is no JSON object becomes an item with an error."""
    n_bytes = 0
    with source.open() as stream:
        for number, line in enumerate(stream, start=1):
            n_bytes += len(line)
            origin = f"{source.name}:{number}"
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            try:
                yield Item(origin, _parse(line, origin), n_bytes=n_bytes)
            except RecordError as error:
                yield Item(
                    origin,
                    error=error,
                    raw=line.decode("utf-8", "backslashreplace").rstrip("\r\n"),
                    n_bytes=n_bytes,
                )


def _parse(line: bytes, origin: str) -> dict[str, Any]:
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise RecordError(
            f"not UTF-8: byte {error.object[error.start]:#04x} at byte {error.start + 1} of the line",
            where=origin,
            next_step="convert the file to UTF-8",
        ) from None
    except RecursionError:
        raise RecordError("the JSON is nested too deeply", where=origin, next_step="flatten the record") from None
    except ValueError as error:
        raise RecordError(f"not JSON: {error}", where=origin, next_step="write one JSON object a line") from None
    if not isinstance(record, dict):
        raise RecordError(
            f"a record must be a JSON object, got {type(record).__name__}",
            where=origin,
            next_step='write {"text": "..."}',
        )
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class Writer:
    """Writes results as JSON lines to a binary stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def write(self, result: Mapping[str, Any]) -> None:
        try:
            line = dumps(result).encode("utf-8")
        except UnicodeEncodeError:
            # Half a surrogate pair is no text, but JSON can spell it.
            line = json.dumps(result, allow_nan=False).encode("ascii")
        self.stream.write(line + b"\n")
