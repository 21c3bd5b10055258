"""No run begins where the disk is nearly full."""

import os
import shutil

import mmpipe


@mmpipe.hookimpl
def mmpipe_run_started(run):
    least = float(os.environ.get("ACME_LEAST_FREE_GB", "1"))
    free = shutil.disk_usage(".").free / 1e9
    if free < least:
        raise mmpipe.StopRun(
            f"{free:.1f} GB are free, and {least:g} are wanted", where=run.output, next_step="make room"
        )
