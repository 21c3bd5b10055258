"""What a piece of code does to the world around it: files, sockets, processes, pickles. For tests that forbid it."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_RUNS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.Popen",
    "os.startfile",
    "pty.spawn",
)
_CONNECTS = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """What was done while it was on, a line each: "reads /etc/passwd", "runs ['true']", "unpickles os.system".

    Reading is noted below none of `readable`, writing and changing below none of `writable`.
    """

    def __init__(self, readable: tuple[Path, ...], writable: tuple[Path, ...]) -> None:
        self.writable = tuple(str(path.resolve()) for path in writable)
        self.readable = (*(str(path.resolve()) for path in readable), *self.writable)
        self.seen: list[str] = []

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike):
                return  # A descriptor that was opened before.
            is_written = bool(flags & _WRITING) if flags else any(sign in str(mode) for sign in "wax+")
            if not _is_below(path, self.writable if is_written else self.readable):
                self.seen.append(f"{'writes' if is_written else 'reads'} {os.fsdecode(path)}")
        elif event in _CHANGES:
            for path in arguments[:2] if event in ("os.rename", "os.symlink", "os.link") else arguments[:1]:
                if isinstance(path, str | bytes | os.PathLike) and not _is_below(path, self.writable):
                    self.seen.append(f"{event} {os.fsdecode(path)}")
        elif event.startswith(_RUNS):
            self.seen.append(f"runs {event} {arguments!r:.200}")
        elif event.startswith(_CONNECTS):
            self.seen.append(f"connects {event} {arguments[1:]!r:.200}")
        elif event == "pickle.find_class":
            self.seen.append(f"unpickles {arguments[0]}.{arguments[1]}")


_WATCHES: list[Watch] = []
_IS_HOOKED: list[bool] = []


@contextmanager
def watched(*folders: Path, readable: tuple[Path, ...] = ()) -> Iterator[Watch]:
    """Watch this process while the block runs.

    folders: where anything may be read and written. readable: where reading is well, besides Python's own folders,
    what is on its path, and what every process reads of the system (/proc, /sys, /dev, time zones, certificates not).
    """
    if not _IS_HOOKED:
        # A hook cannot be taken back; it does nothing while no watch is on.
        sys.addaudithook(lambda event, arguments: [watch.note(event, arguments) for watch in _WATCHES] and None)
        _IS_HOOKED.append(True)
    watch = Watch((*_own_folders(), *readable), folders)
    _WATCHES.append(watch)
    try:
        yield watch
    finally:
        _WATCHES.remove(watch)


def _own_folders() -> tuple[Path, ...]:
    on_path = [Path(name) for name in sys.path if name and Path(name).is_dir()]
    installed = [Path(path) for path in sysconfig.get_paths().values()]
    sources = Path(__file__).resolve().parents[2]
    shared = [Path(name) for name in ("/proc", "/sys", "/dev", "/usr/share/zoneinfo", "/lib", "/usr/lib", "/lib64")]
    return (Path(sys.prefix), Path(sys.base_prefix), sources, *installed, *on_path, *shared)


def _is_below(path: Any, folders: tuple[str, ...]) -> bool:
    name = os.path.realpath(os.fsdecode(path))
    return any(name == folder or name.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def scratch() -> Path:
    """The folder that Python's temporary files lie in."""
    return Path(tempfile.gettempdir()).resolve()
