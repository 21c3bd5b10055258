"""Silence: what is logged, warned of and printed may quote a text, and does not get out."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

WITHHELD = "withheld, for the texts of this run are private"


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Silence for as long as it lasts, in all threads of this process; see `begin_silence`."""
    end = begin_silence()
    try:
        yield
    finally:
        end()


def begin_silence() -> Callable[[], None]:
    """Withhold from now on what logs, warnings and prints say; what is called ends that.

    A log line tells its logger and the place in the code, a warning its category and place, each place once; of
    prints, and of what Python writes of threads that fail, that there are some. Native code that writes to the
    descriptors 1 and 2 by itself is not reached.
    """
    voice = _Voice(sys.stderr)
    before = logging.getLogRecordFactory(), warnings.showwarning, sys.stdout, sys.stderr
    logging.setLogRecordFactory(_mute(before[0]))
    warnings.showwarning = voice.warning
    sys.stdout, sys.stderr = _sink(voice), _sink(voice)

    def end() -> None:
        logging.setLogRecordFactory(before[0])
        warnings.showwarning, sys.stdout, sys.stderr = before[1:]

    return end


class _Voice:
    """Tells that something was withheld, once for each place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._told, self._lock = stream, set[str](), threading.Lock()

    def tell(self, what: str) -> None:
        with self._lock:
            if what in self._told:
                return
            self._told.add(what)
        self._stream.write(f"WARNING: {what}: {WITHHELD}\n")
        self._stream.flush()

    def warning(self, message: Any, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        self.tell(f"{category.__name__} at {filename}:{lineno}")


class _Sink(io.RawIOBase):
    def __init__(self, voice: _Voice) -> None:
        self._voice = voice

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if bytes(data).strip():
            self._voice.tell("what components print")
        return len(data)


def _sink(voice: _Voice) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(_Sink(voice)), encoding="utf-8", errors="replace", write_through=True)


def _mute(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A maker of log records that hold where they were made and nothing that was said."""

    def make_mute(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg, record.args = f"a log line of {record.name} at {record.pathname}:{record.lineno}: {WITHHELD}", ()
        record.exc_info = record.exc_text = record.stack_info = None
        return record

    return make_mute
