"""A piece of Python in a process of its own, which may fail, hang or be killed without harm to this one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Probe:
    """answers: each line of JSON that it printed. cause: why it did not end well, None if it did."""

    answers: list[dict[str, Any]]
    cause: str | None


def probe(code: str, environ: Mapping[str, str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> Probe:
    """Run code that prints lines of JSON; what it printed before it died counts."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
                timeout=timeout_seconds,
                check=False,
            )
            code_ = done.returncode
        except subprocess.TimeoutExpired:
            return Probe(_answers(out), f"it took more than {timeout_seconds:.0f} seconds")
        answers = _answers(out)
        if code_ == 0:
            return Probe(answers, None)
        err.seek(0)
        lines = err.read().decode("utf-8", "replace").strip().splitlines()
    if code_ < 0:
        return Probe(answers, f"the process was ended by {_signal(-code_)}")
    return Probe(answers, lines[-1][:300] if lines else f"the process ended with status {code_}")


def _answers(stream: Any) -> list[dict[str, Any]]:
    stream.seek(0)
    found = []
    for line in stream.read().decode("utf-8", "replace").splitlines():
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict):
            found.append(answer)
    return found


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
