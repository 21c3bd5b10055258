"""Fixtures for the tests of plugins. pytest loads this module at its start, so it imports nothing heavy.

tiny_checkpoint, awkward_records, offline, mmpipe_plugin; a conftest.py may define any of them anew.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny_checkpoint(family, **options)`: a folder of `mmpipe.testing.tiny_checkpoint`; equal calls share one."""
    from mmpipe.testing import tiny_checkpoint as build

    made: dict[Any, Path] = {}

    def get(family: str = "bert", **options: Any) -> str:
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = build(tmp_path_factory.mktemp(family), family, **options)
        return str(made[key])

    return get


@pytest.fixture
def awkward_records() -> dict[str, dict[str, Any]]:
    """What is awkward about a record -> the record, a copy of `mmpipe.testing.AWKWARD_RECORDS`."""
    import copy

    from mmpipe.testing import AWKWARD_RECORDS

    return copy.deepcopy(AWKWARD_RECORDS)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection leaves this machine: an attempt fails the test. Hugging Face is told that it is offline."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


@pytest.fixture
def mmpipe_plugin(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`mmpipe_plugin(name, code, files=..., factories=...)`: a plugin that is installed for one test.

    It is a distribution of `mmpipe.testing.write_plugin`, found by this process and those that it starts. Its folder
    is returned.
    """
    from mmpipe.testing import installed, write_plugin

    with contextlib.ExitStack() as stack:

        def install(name: str, code: str, **options: Any) -> Path:
            site = tmp_path / f"plugin-{name}"
            site.mkdir()
            write_plugin(site, name, code, **options)
            stack.enter_context(installed(site))
            return site

        yield install


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        __tracebackhide__ = True
        if not _is_here(address):
            pytest.fail(
                f"a connection to {address!r} was tried; the fixture `offline` forbids all but this machine's own"
            )
        return connect(self, address)

    return guarded


def _is_here(address: Any) -> bool:
    """Whether it is a socket file, or an address of this machine alone."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")
