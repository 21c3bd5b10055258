"""The commands that a page shows and nobody runs: their names and options are those of mmpipe."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from documentation.page import Listing
from mmpipe.cli.main import app

_COMMAND = r"(?:[A-Z_]+=\S* )*mmpipe (.+)$"


def command_faults(listing: Listing) -> Iterator[str]:
    """What is wrong with the commands of a console or an indented block that begin with `mmpipe`."""
    if listing.language not in ("console", ""):
        return
    pattern = (r"^\$ " if listing.language else r"^\s*") + _COMMAND
    for line in re.findall(pattern, listing.text.replace("\\\n", " "), flags=re.MULTILINE):
        try:
            words = shlex.split(re.split(r"\s[|>&]", line)[0], comments=True)
        except ValueError as error:
            yield f"{line!r}: {error}"
            continue
        yield from (f"mmpipe {line}: {said}" for said in _faults([word.strip("[]") for word in words]))


def _faults(words: list[str]) -> Iterator[str]:
    # Typer brings a click of its own in some versions, so that click's names cannot be used.
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="mmpipe")
    while hasattr(command, "resolve_command") and words and not words[0].startswith("-"):
        try:
            name, command, words = command.resolve_command(context, words)
        except Exception as error:
            yield getattr(error, "message", str(error))
            return
        context = command.context_class(command, context, info_name=name)
    options = {option for parameter in command.get_params(context) for option in parameter.opts}
    takes_overrides = bool((command.context_settings or {}).get("ignore_unknown_options"))
    for word in words:
        option = word.split("=")[0]
        is_override = takes_overrides and option.startswith("--") and "." in option
        if word.startswith("-") and len(word) > 1 and option not in options and not is_override:
            yield f"no option {option}; there are {', '.join(sorted(options))}"
