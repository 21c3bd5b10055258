"""How a run is told of: a bar while it goes, a sentence when it is done."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmpipe.corpus.manifest import Manifest


@contextlib.contextmanager
def run_bar() -> Iterator[Callable[[Manifest], None]]:
    """A progress bar with rate and time left on standard error, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)  # As it is now: a private run puts another in its place.
    if not console.is_terminal:
        yield lambda manifest: None
        return
    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(manifest: Manifest) -> None:
            counts = manifest.counts
            failed = f", {counts.n_quarantined:,} failed" if counts.n_quarantined else ""
            described = f"{counts.n_read:,} records, {rate_of(manifest):,.1f} a second{failed}"
            bar.update(task, description=described, completed=n_bytes_of(manifest), total=manifest.total_bytes or None)

        yield show


def rate_of(manifest: Manifest) -> float:
    """Records a second, over all the time that the run has taken so far."""
    return manifest.counts.n_read / max(manifest.seconds, 1e-9)


def n_bytes_of(manifest: Manifest) -> int:
    """How far into its inputs a run is, in bytes; shards that are done out of order count for what they are."""
    if not manifest.shards:
        return 0
    share = len(manifest.shards) / (max(manifest.shards) + 1)
    return int(share * max(entry.n_input_bytes for entry in manifest.shards.values()))


def seconds_left(manifest: Manifest) -> float | None:
    """The time that the rest of the inputs will take at the rate so far; None where that is not known."""
    n_bytes = n_bytes_of(manifest)
    if not n_bytes or manifest.total_bytes <= n_bytes:
        return None
    return manifest.seconds * (manifest.total_bytes - n_bytes) / n_bytes


def told(manifest: Manifest, output: str, failures: Path | None) -> str:
    """One sentence on a run that is done."""
    counts = manifest.counts
    noun = "record" if counts.n_read == 1 else "records"
    text = (
        f"{counts.n_read:,} {noun} read in {manifest.seconds:.1f} s ({rate_of(manifest):,.1f} a second): "
        f"{counts.n_written:,} written to {output}"
    )
    if counts.n_skipped:
        text += f", {counts.n_skipped:,} skipped"
    if counts.n_quarantined:
        text += f", {counts.n_quarantined:,} failed, see {failures}"
    return text


def clock(seconds: float | None) -> str:
    """`1:02:03`, or `unknown`."""
    if seconds is None:
        return "unknown"
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) if seconds < 86_400 else f"{seconds / 86_400:.1f} days"
