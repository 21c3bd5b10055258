"""`mmpipe`: the commands that plugins provide, each imported when it is called."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mmpipe.cli.exit_codes import ExitCode, exit_code_of
from mmpipe.errors import MmpipeError
from mmpipe.installed import installed_version
from mmpipe.plugins import get_plugins


class PluginGroup(TyperGroup):
    """Commands by the hook `mmpipe_commands`. The help shows summaries, without importing any command."""

    def list_commands(self, ctx: Any) -> list[str]:
        return get_plugins().names("commands")

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        provided = get_plugins().find("commands", cmd_name)
        return None if provided is None else TyperCommand(cmd_name, help=provided.spec.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, self._import(str(name)) if command is not None else None, rest

    def _import(self, name: str) -> Any:
        found = get_plugins().code("commands", name)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command(name, context_settings=getattr(found, "context_settings", None))(found)
            found = app
        command = typer.main.get_command(found)
        command.name = name
        _say_no_to_help(command)
        return command


_NO_HELP = {"default_map": {"help": False}}


def _say_no_to_help(command: Any) -> None:
    """Let `--help` be false where it is not given: for an option without a value, Typer imports pydantic."""
    command.context_settings = _NO_HELP | command.context_settings
    for subcommand in getattr(command, "commands", {}).values():
        _say_no_to_help(subcommand)


app = typer.Typer(
    cls=PluginGroup,
    context_settings=_NO_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="spaCy pipelines of transformer models: declared in a file, extended by plugins, run over corpora.",
    epilog="Exit codes: 0 all well, 1 failure, 2 usage, 3 pipeline, plugin or model invalid, "
    "4 some records failed, 5 no input, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mmpipe {installed_version('mmpipe')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and debug logs.")] = False,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="The pipeline is a stranger's: no network, no files but beside it.")
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Shared by all commands."""
    import logging  # No other import of `mmpipe --help` brings it.

    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("mmpipe").setLevel(logging.DEBUG if debug else logging.INFO)


def main() -> None:
    """Run the command line. Errors become a message and an exit code.

    `--debug`, anywhere, shows the traceback; `--untrusted`, anywhere, sets MMPIPE_UNTRUSTED.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    is_debug = len(arguments) < len(sys.argv) - 1
    if "--untrusted" in arguments:
        arguments.remove("--untrusted")
        # For worker processes, and for what is imported later and reads it once.
        os.environ.update(MMPIPE_UNTRUSTED="1", HF_HUB_OFFLINE="1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(["--debug", *arguments] if is_debug else arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        if is_debug:
            raise
        if not isinstance(error, MmpipeError):
            error = MmpipeError(
                f"{type(error).__name__}: {error}",
                where=f"mmpipe {' '.join(arguments[:1])}".strip(),
                next_step="--debug shows where; this should have been a better message, please report it",
            )
        print(f"error: {error}", file=sys.stderr)
        sys.exit(exit_code_of(error))
