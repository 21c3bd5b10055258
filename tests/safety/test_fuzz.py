"""Ten seconds of `make fuzz`: no finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "scripts" / "fuzz"


@pytest.mark.skipif(not FUZZ.is_dir(), reason="not in the repository")
def test_a_slice_of_the_fuzz_run_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZ), "--seconds", "10", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "0 findings" in done.stdout and not done.stdout.startswith("0 cases")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not FUZZ.is_dir(), reason="not in the repository")
def test_it_finds_what_it_looks_for(tmp_path: Path) -> None:
    """A reader that writes elsewhere, raises something of its own, and never ends."""
    program = f"""
import sys; sys.path.insert(0, {str(FUZZ)!r})
import cases, runpy, time, os
from pathlib import Path
kinds = iter("abc")
def config(self, chance, folder):
    (folder / "p.cfg").write_text("x")
    return {{"a": lambda: Path({str(tmp_path / "elsewhere")!r}).write_text("x"), "b": lambda: 1 / 0,
             "c": lambda: time.sleep(60)}}[next(kinds)]
cases.Cases.config = config
sys.argv = ["fuzz", "--cases", "3", "--seconds", "200", "--kind", "config", "--limit-seconds", "1",
            "--output", {str(tmp_path / "out")!r}, "--seed", "7"]
runpy.run_path({str(FUZZ / "__main__.py")!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "3 findings" in done.stdout, done.stderr[-2000:]
    notes = [(tmp_path / "out" / f"config-{seed}" / "FINDING.txt").read_text() for seed in (7, 8, 9)]
    assert "writes " + str(tmp_path / "elsewhere") in notes[0]
    assert "ZeroDivisionError" in notes[1] and "--seed 8 --cases 1 --kind config" in notes[1]
    assert "took more than 1 seconds" in notes[2]
