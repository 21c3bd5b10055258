"""The command line in this process."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def mmpipe(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`mmpipe("run", ...)`: what the command line exits with and prints. Any exception but SystemExit gets out."""
    from mmpipe.cli.main import main

    def call(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mmpipe", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        handler = logging.StreamHandler(sys.stderr)
        logging.getLogger("mmpipe").addHandler(handler)
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as exit_:
                main()
        finally:
            logging.getLogger("mmpipe").removeHandler(handler)
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Outcome(int(exit_.value.code or 0), out, err)

    return call
