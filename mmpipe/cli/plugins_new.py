"""`mmpipe plugins new`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmpipe.errors import MmpipeError


def new_plugin(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The plugin's name; `mmpipe-` is put before it where missing.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            help="What it provides: component, reader, writer, metric, pipeline, command or model. Give it several "
            "times for several.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The new project's folder; ./mmpipe-NAME by default."),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(
            metavar="AUTHOR", help="'Ada Lovelace' or 'Ada Lovelace <ada@example.org>'; git's user by default."
        ),
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="LICENCE", help="Apache-2.0 (the default), MIT, BSD-3-Clause, proprietary.")
    ] = None,
) -> None:
    """Write a new plugin: a distribution that can be installed, with tests that pass. It needs no network.

    Where NAME or --kind is missing, a terminal is asked for all that is not given.
    """
    from mmpipe.scaffold.author import likely_author, read_author
    from mmpipe.scaffold.kinds import find_kinds
    from mmpipe.scaffold.licences import find_licence
    from mmpipe.scaffold.naming import check_free, make_names
    from mmpipe.scaffold.project import Project, write_project

    try:
        if name is None or not kind:
            if sys.stdin.isatty():
                from mmpipe.scaffold.dialogue import ask

                name, kind, author, licence = ask(name, kind, author, licence)
            elif name is None:
                raise typer.BadParameter("NAME is missing; write mmpipe plugins new NAME --kind KIND")
        names, kinds = make_names(name), find_kinds(kind or ())
        check_free(names, kinds)
        written_by = read_author(author if author is not None else likely_author(names.distribution))
        project = Project(names, kinds, written_by, find_licence(licence or "Apache-2.0"))
    except MmpipeError as error:
        raise typer.BadParameter(f"{error.what}; {error.next_step}", param_hint=error.where) from None
    folder = output or Path(names.distribution)
    files = write_project(project, folder)
    for file in files:
        print(file.as_posix())
    print(f"\nnext: cd {folder.as_posix()} && python -m pip install -e '.[test]' && python -m pytest")
