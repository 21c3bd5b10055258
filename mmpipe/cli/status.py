"""`mmpipe status`"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.cli.run_bar import clock, n_bytes_of, rate_of, seconds_left


def status(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="What `mmpipe run` writes to.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How far a run is, while it goes and after: counts, rate, time left, and whether a process is at it."""
    from mmpipe.corpus.lock import is_running
    from mmpipe.corpus.manifest import FINISHED
    from mmpipe.corpus.opened import opened

    manifest = opened(output)
    counts = asdict(manifest.counts)
    is_alive = is_running(manifest.layout)
    state = manifest.state if manifest.state == FINISHED else "running" if is_alive else "stopped"
    left = None if state == FINISHED else seconds_left(manifest)
    found: dict[str, Any] = {
        "state": state,
        **counts,
        "seconds": manifest.seconds,
        "records_per_second": rate_of(manifest),
        "seconds_left": left,
        "input_bytes": manifest.total_bytes,
        "input_bytes_done": n_bytes_of(manifest),
        "history": manifest.history,
    }
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{output}: {_told(manifest, state)}")
    print(
        f"  {counts['n_read']:,} read = {counts['n_written']:,} written + {counts['n_quarantined']:,} quarantined + "
        f"{counts['n_skipped']:,} skipped, in {counts['n_shards']:,} shards"
    )
    print(f"  {rate_of(manifest):,.1f} records a second over {clock(manifest.seconds)}")
    if state != FINISHED:
        share = f" ({n_bytes_of(manifest) / manifest.total_bytes:.0%} of the input)" if manifest.total_bytes else ""
        print(f"  time left: {clock(left)}{share}")
    for event in manifest.history:
        print(f"  {event['event']}: " + "; ".join(event.get("differences") or ["nothing else had changed"]))


def _told(manifest: Any, state: str) -> str:
    if state == "stopped":
        return "stopped; the same command goes on"
    return state
