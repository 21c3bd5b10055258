"""`mmpipe verify`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmpipe.cli.exit_codes import ExitCode


def verify(
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="The folder that `mmpipe run` wrote to.")],
) -> None:
    """Count and hash a run's files anew, and compare them with its manifest. Exits with 1 where they differ."""
    from mmpipe.corpus.opened import opened
    from mmpipe.corpus.verify import faults_of

    manifest = opened(output)
    faults = faults_of(manifest)
    for fault in faults:
        print(fault)
    counts = manifest.counts
    account = (
        f"{counts.n_read:,} read = {counts.n_written:,} written + {counts.n_quarantined:,} quarantined + "
        f"{counts.n_skipped:,} skipped"
    )
    if faults:
        raise typer.Exit(ExitCode.FAILURE)
    print(f"{output}: {counts.n_shards:,} shards are as they were written; {account}; {manifest.state}")
