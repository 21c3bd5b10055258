"""Configs, records and images, mutated without end: `make fuzz`, or `python scripts/fuzz --seconds 60`.

Each case is drawn from a number, so that `--seed N --cases 1` repeats it. Well is: it works, or an MmpipeError says
why not. A finding is anything else: another error, a case that takes more than --limit-seconds, a file that is written
(or, but for Python's own, read) outside the sandbox, a socket, a process, an unpickled object. Findings are saved, each
in a folder with its input and a note of its seed, and the exit status is 1. A case that ends this process as well
leaves its seed in RUNNING.txt.
"""

from __future__ import annotations

import argparse
import faulthandler
import mimetypes
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Set before the libraries are imported that read them once.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from cases import ROOT, Cases


class TooLong(BaseException):
    """A case took more than it may."""


def main() -> int:
    """Run cases until the time is over, then say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS") or 3600))
    parser.add_argument("--cases", type=int, default=None, help="at most so many")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next has the next number")
    parser.add_argument("--limit-seconds", type=int, default=30, help="that one case may take")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "fuzz", help="where findings are saved")
    parser.add_argument("--kind", choices=("config", "records", "image"), default=None)
    given = parser.parse_args()
    found = fuzz(given.seconds, given.seed, given.output, given.limit_seconds, given.cases, given.kind)
    print(
        f"{sum(found.values()) - found['findings']:,} cases: " + ", ".join(f"{n} {k}" for k, n in sorted(found.items()))
    )
    return 1 if found["findings"] else 0


def fuzz(
    seconds: float,
    seed: int,
    output: Path,
    limit_seconds: int = 30,
    n_cases: int | None = None,
    kind: str | None = None,
) -> Counter[str]:
    """How many cases of each kind ended well or were refused, and how many findings were saved."""
    from mmpipe.errors import MmpipeError
    from mmpipe.testing.watch import watched

    faulthandler.enable()
    counts: Counter[str] = Counter(findings=0)
    sandbox = Path(tempfile.mkdtemp(prefix="mmpipe-fuzz-")).resolve()
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    running = output / "RUNNING.txt"
    before = Path.cwd()
    try:
        os.chdir(sandbox)
        tempfile.tempdir = str(sandbox)
        mimetypes.init()  # Reads the system's lists, once.
        cases = Cases(sandbox / "seeds")
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and (n_cases is None or n_cases > sum(counts.values()) - counts["findings"]):
            chance = random.Random(seed)
            only = f" --kind {kind}" if kind else ""
            running.write_text(f"python scripts/fuzz --seed {seed} --cases 1{only}\n")
            name = kind or chance.choices(("config", "records", "image"), (6, 3, 1))[0]
            folder = sandbox / "case"
            folder.mkdir()
            run: Callable[[], None] = getattr(cases, name)(chance, folder)
            why, ended = None, "well"
            with watched(sandbox, readable=(ROOT,)) as watch:
                try:
                    with time_limit(limit_seconds):
                        run()
                except MmpipeError as error:
                    ended = "refused"
                    if "Traceback" in str(error) or len(str(error)) > 20_000:
                        why = f"a message of {len(str(error))} characters: {str(error)[:500]}"
                except TooLong:
                    why = f"took more than {limit_seconds} seconds\n{traceback.format_exc()}"
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    why = traceback.format_exc()
            counts[f"{name} {ended}"] += 1
            if why is None and watch.seen:
                why = "\n".join(watch.seen[:20])
            if why is not None:
                counts["findings"] += 1
                save(output / f"{name}-{seed}", folder, f"{running.read_text()}\n{why}\n")
            shutil.rmtree(folder)
            seed += 1
        running.unlink(missing_ok=True)
    finally:
        os.chdir(before)
        tempfile.tempdir = None
        shutil.rmtree(sandbox, ignore_errors=True)
    return counts


def save(place: Path, folder: Path, note: str) -> None:
    """The input of a finding, and how to see it again."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, place)
    (place / "FINDING.txt").write_text(note, "utf-8", errors="backslashreplace")
    print(f"finding: {place}\n  {note.strip().splitlines()[-1][:300]}", file=sys.stderr, flush=True)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TooLong in the main thread after so many seconds."""

    def ring(*_: Any) -> None:
        raise TooLong

    earlier = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


if __name__ == "__main__":
    sys.exit(main())
