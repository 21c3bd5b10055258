"""One process at a time writes into a run's folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from mmpipe.corpus.durable import cannot_write
from mmpipe.corpus.layout import Layout
from mmpipe.errors import MmpipeError


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go when the process ends, however it ends.

    Raises MmpipeError where another process holds it.
    """
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        stream = layout.lock.open("a+")
    except OSError as error:
        raise cannot_write(layout.folder, error) from None
    with stream:
        if not _take(stream.fileno()):
            raise MmpipeError(
                "another process is running into this folder",
                where=str(layout.folder),
                next_step="wait for it (`mmpipe status` shows how far it is), or name another -o",
            )
        yield


def is_running(layout: Layout) -> bool:
    """Whether a process holds the folder's lock now."""
    if not layout.lock.exists():
        return False
    with layout.lock.open("a+") as stream:
        return not _take(stream.fileno())


def _take(descriptor: int) -> bool:
    if os.name != "posix":
        return True  # No locks there: the folder is taken on trust.
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
