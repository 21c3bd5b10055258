"""A file that says how far a run is, for a monitor to look at."""

import json
from dataclasses import asdict
from pathlib import Path

import mmpipe


@mmpipe.hookimpl
def mmpipe_batch_done(run, counts):
    told = {"process": run.process, **asdict(counts)}
    Path(f"pulse.{run.process.replace(' ', '-')}.json").write_text(json.dumps(told))
