"""Files that are whole or not there, also after a kill or a power cut."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from mmpipe.errors import MmpipeError

PART = ".part"
"""What the name of a file ends in until it is whole."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is complete and flushed to disk, folder entry included.

    Until then it stands beside it as `<name>.<random>.part`, for a process whose parent was killed may still be at
    the same file. A body that raises leaves no such file behind; a kill does.
    Raises MmpipeError where the disk is full or does not take the file.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            yield cast(BinaryIO, _Told(stream, path))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from None
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as `whole_file` does."""
    with whole_file(path) as stream:
        stream.write(data)


def sync_folder(folder: Path) -> None:
    """Flush the names of a folder to disk, where the system can."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> MmpipeError:
    """What the user is told of a file that the system refused."""
    next_step = "make room and run the same command again: it goes on" if _is_full(error) else "name another -o"
    return MmpipeError(f"cannot be written: {error.strerror or error}", where=str(path), next_step=next_step)


class Hashed(io.RawIOBase):
    """A binary stream that counts and hashes what goes through it on its way to another. Closing it closes nothing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._digest, self.n_bytes = stream, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._digest.update(data)
        self.n_bytes += memoryview(data).nbytes
        return memoryview(data).nbytes

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Told(io.RawIOBase):
    """Turns what the system says of a write into what the user is told, and passes for the file itself."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._path = stream, path

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return self._stream.write(data)
        except OSError as error:
            raise cannot_write(self._path, error) from None

    def flush(self) -> None:
        if not self._stream.closed:
            self._stream.flush()


def _is_full(error: OSError) -> bool:
    import errno

    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
