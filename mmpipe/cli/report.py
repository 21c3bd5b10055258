"""`mmpipe report`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    output: Annotated[Path, typer.Argument(metavar="OUTDIR", help="The folder that `mmpipe run` writes to.")],
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="OUTDIR/report.html by default.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Show so many results.")] = 30,
) -> None:
    """Write one HTML file about a run: its account and speed, labels and scores, examples, failures by cause.

    It asks nothing of any network, and can be written while the run goes on.
    """
    from mmpipe.corpus.durable import write_whole
    from mmpipe.corpus.opened import opened
    from mmpipe.corpus.report import html
    from mmpipe.plugins import get_plugins

    file = to or output / "report.html"
    write_whole(file, html(opened(output), get_plugins(), examples).encode("utf-8", "replace"))
    print(f"written to {file}", file=sys.stderr)
