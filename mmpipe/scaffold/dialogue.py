"""What a terminal is asked about a new plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import typer

from mmpipe.errors import MmpipeError
from mmpipe.scaffold.author import likely_author, read_author
from mmpipe.scaffold.kinds import KINDS, find_kinds
from mmpipe.scaffold.licences import LICENCES, find_licence
from mmpipe.scaffold.naming import Names, check_free, make_names

Answer = TypeVar("Answer")


def ask(
    name: str | None, kinds: list[str] | None, author: str | None, licence: str | None
) -> tuple[str, list[str], str, str]:
    """All four, those that are None or empty asked for. What cannot be taken is told and asked for again."""
    given = _until_valid("Name of the plugin, such as acme-tone", _free) if name is None else _free(name)
    if not kinds:
        for kind in KINDS.values():
            typer.echo(f"  {kind.name:<10} {kind.summary}", err=True)
        found = _until_valid(
            "What does it provide? Several with commas between",
            lambda answer: find_kinds(part for part in answer.split(",") if part.strip()),
            default="component",
        )
        kinds = [kind.name for kind in found]
    if author is None:
        known = likely_author(given.distribution)
        told = _until_valid("Author, if you like with <address>", read_author, default=known)
        author = f"{told.name} <{told.email}>" if told.email else told.name
    if licence is None:
        licence = _until_valid(f"Licence ({', '.join(LICENCES)})", find_licence, default="Apache-2.0")
    return given.short, kinds, author, licence


def _free(name: str) -> Names:
    names = make_names(name)
    check_free(names)
    return names


def _until_valid(question: str, read: Callable[[str], Answer], default: str | None = None) -> Answer:
    while True:
        answer = typer.prompt(question, default=default, err=True)
        try:
            return read(answer)
        except MmpipeError as error:
            typer.echo(f"{error.what}; {error.next_step}", err=True)
