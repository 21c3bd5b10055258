"""Results that a model has given before, on disk: `MMPIPE_RESULT_CACHE=folder`, or `mmpipe run --cache folder`.

A result is kept under a hash of all that decides it. It can be missed at any time and is made again then, so a cache
that is full, damaged, busy or not writable costs time and nothing else. Many processes may use one folder.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import srsly

from mmpipe.errors import MmpipeError

FOLDER, GIGABYTES = "MMPIPE_RESULT_CACHE", "MMPIPE_RESULT_CACHE_GB"
DEFAULT_GIGABYTES = 10.0
_CHECKSUM_BYTES = 8
logger = logging.getLogger("mmpipe")


class ResultCache:
    """Strings, numbers, arrays and lists of them, by key.

    folder: made where it is not there. max_bytes: what it may take up; beyond it, what was stored first is dropped.
    Raises MmpipeError where diskcache is not installed; OSError or sqlite3.Error where the folder cannot be used.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        try:
            import diskcache
        except ImportError:
            raise MmpipeError(
                "diskcache is not installed", where="the result cache", next_step="pip install 'mmpipe[cache]'"
            ) from None
        self._errors = (OSError, sqlite3.Error, diskcache.Timeout)
        self._cache = diskcache.Cache(str(folder), disk=_plain_disk(), size_limit=max_bytes)
        self.folder, self._has_complained = folder, False

    def get(self, keys: Sequence[bytes]) -> list[Any]:
        """What is kept under each key; None for nothing."""
        try:
            return [_read(self._cache.get(key)) for key in keys]
        except self._errors as error:
            self._complain(error)
            return [None] * len(keys)

    def put(self, keys: Sequence[bytes], values: Sequence[Any]) -> None:
        """Keep each value under its key."""
        try:
            with self._cache.transact():
                for key, value in zip(keys, values, strict=True):
                    data = srsly.msgpack_dumps(value)
                    self._cache.set(key, _checksum(data) + data)
        except self._errors as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Once."""
        level, self._has_complained = logging.DEBUG if self._has_complained else logging.WARNING, True
        logger.log(level, "the result cache %s is of no use now: %s: %s", self.folder, type(error).__name__, error)

    def __len__(self) -> int:
        return len(self._cache)


def result_cache() -> ResultCache | None:
    """The cache that the environment names; None where it names none, or one that cannot be opened.

    Raises MmpipeError where diskcache is not installed, and for a size that is no number above 0.
    """
    folder = os.environ.get(FOLDER)
    return _opened(folder, os.environ.get(GIGABYTES)) if folder else None


@functools.lru_cache(maxsize=4)
def _opened(folder: str, size: str | None) -> ResultCache | None:
    try:
        gigabytes = float(size) if size else DEFAULT_GIGABYTES
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < float("inf"):
        raise MmpipeError(
            f"{GIGABYTES} is {size!r}, not a number of gigabytes above 0", next_step="set it to 0.5, 10, ..."
        )
    try:
        return ResultCache(Path(folder), int(gigabytes * 1e9))
    except (OSError, sqlite3.Error) as error:
        logger.warning("the result cache %s cannot be opened: %s", folder, error)
        return None


def _plain_disk() -> type:
    """diskcache's store for bytes alone: it reads no pickles, whoever may have put them there."""
    import diskcache
    from diskcache.core import MODE_PICKLE

    class PlainDisk(diskcache.Disk):
        def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
            return None if mode == MODE_PICKLE else super().fetch(mode, filename, value, read)

    return PlainDisk


def _read(data: bytes | None) -> Any:
    """None for what is damaged."""
    if not isinstance(data, bytes) or _checksum(data[_CHECKSUM_BYTES:]) != data[:_CHECKSUM_BYTES]:
        return None
    return srsly.msgpack_loads(data[_CHECKSUM_BYTES:])


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()
