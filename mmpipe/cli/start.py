"""Where `mmpipe` begins: the doctor needs nothing but Python, all else the application in `mmpipe.cli.main`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; see mmpipe.cli.main."""
    if sys.argv[1:2] == ["doctor"]:
        from mmpipe.doctor.told import run

        sys.exit(run(sys.argv[2:]))
    from mmpipe.cli.main import main as run_app

    # What is imported by now stays to the end. Looking for garbage in it is a tenth of `mmpipe --help`, mostly at exit.
    gc.freeze()
    run_app()
