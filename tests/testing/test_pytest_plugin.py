"""The fixtures that every plugin's tests have."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import mmpipe
from mmpipe.plugins import get_plugins
from mmpipe.testing import AWKWARD_RECORDS

LIGHT = """
import sys
import mmpipe.testing.pytest_plugin, mmpipe.testing
heavy = {"spacy", "thinc", "torch", "transformers", "numpy"} & sys.modules.keys()
assert not heavy, heavy
assert "pytest" in sys.modules
"""


def test_pytest_knows_it_and_it_is_light() -> None:
    (point,) = [point for point in entry_points(group="pytest11") if point.name == "mmpipe"]
    assert point.value == "mmpipe.testing.pytest_plugin"
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_the_kit_itself_needs_no_pytest() -> None:
    code = "import sys, mmpipe.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_offline_forbids_all_but_this_machine(offline: None) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        socket.create_connection(server.getsockname()).close()
    with pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"), socket.socket() as client:
        client.connect(("192.0.2.1", 80))


def test_a_plugin_for_one_test(mmpipe_plugin: Callable[..., Path]) -> None:
    code = "import mmpipe\n@mmpipe.hookimpl\ndef mmpipe_pipelines():\n"
    code += "    yield mmpipe.PipelineSpec('kit-blank', {'nlp': {'lang': 'en', 'pipeline': []}})\n"
    assert mmpipe_plugin("kitblank", code).is_dir()
    assert "kit-blank" in get_plugins().names("pipelines")
    assert mmpipe.load("kit-blank").pipe_names == []


def test_it_is_gone_afterwards() -> None:
    assert "kit-blank" not in get_plugins().names("pipelines")
    assert "kitblank_plugin" not in sys.modules


def test_awkward_records_are_a_copy(awkward_records: dict[str, dict[str, Any]]) -> None:
    assert awkward_records == AWKWARD_RECORDS
    awkward_records["nested extras"]["extra"]["a"].clear()
    assert AWKWARD_RECORDS["nested extras"]["extra"]["a"]
