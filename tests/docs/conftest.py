"""What runs the pages' listings; see scripts/documentation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def warm() -> Iterator[Any]:
    from documentation.warm import Warm

    # Not in pytest's own folders, whose paths can be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="mmpipe-") as folder, Warm(Path(folder) / "warm") as process:
        yield process
