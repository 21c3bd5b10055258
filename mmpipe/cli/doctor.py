"""`mmpipe doctor`, as the help lists it; mmpipe.cli.start calls mmpipe.doctor.told before what may be broken."""

from __future__ import annotations

from typing import Annotated

import typer

from mmpipe.doctor.told import report


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK", help="packages, metadata, imports, plugins, models, caches or extras; repeatable."
        ),
    ] = None,
) -> None:
    """Check the installation: packages, devices, plugins, models, caches; each fault with the command that mends it.

    Exit code 0 where nothing is an error, else 1. It works where what it looks at is broken.
    """
    raise typer.Exit(report(as_json=as_json, only=only))
