"""A note when a run is over."""

from pathlib import Path

import mmpipe


@mmpipe.hookimpl
def mmpipe_run_ended(run, counts):
    is_whole = counts.n_read == counts.n_written + counts.n_failed + counts.n_skipped
    Path("bell.txt").write_text(f"{run.pipeline}: {counts.n_written} written, {counts.n_failed} failed, {is_whole=}\n")
