"""`mmpipe privacy`: keys, and pseudonyms turned back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def root() -> None:
    """Keys for pseudonyms, and pseudonyms turned back."""


@app.command("new-key")
def make_key(file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes; not there yet.")]) -> None:
    """Write a fresh key to a file that only you may read. Whoever has it can turn pseudonyms back; keep it apart."""
    from mmpipe_privacy.pseudonyms import new_key

    new_key(file)
    print(f"written to {file}", file=sys.stderr)


@app.command()
def reveal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Results or any other text in UTF-8.")],
    key_file: Annotated[Path | None, typer.Option(metavar="K", help="The key that the run had.")] = None,
    key_env: Annotated[
        str, typer.Option(metavar="VARIABLE", help="Without --key-file: the variable that holds it.")
    ] = "MMPIPE_PRIVACY_KEY",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="A new file; standard output by default.")
    ] = None,
) -> None:
    """Turn pseudonyms such as [EMAIL:...] in a file back to what they stand for. Nothing else is changed."""
    from mmpipe_privacy.pseudonyms import read_key
    from mmpipe_privacy.reveal import reveal_file

    n_found, n_strange = reveal_file(file, read_key(key_file, key_env, "--key-file"), output)
    said = f"{n_found:,} pseudonyms turned back"
    if n_strange:
        said += f"; {n_strange:,} that look like some are not of this key, and stay"
    print(said, file=sys.stderr)
