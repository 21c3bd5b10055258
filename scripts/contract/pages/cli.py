"""docs/reference/cli.md: every command of mmpipe and of the plugins in plugins/, as Typer makes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from contract.imports import plugins
from contract.pages.markdown import MADE, prose, table
from contract.tree import distributions

_OVERRIDES = "Settings of the pipeline follow as dotted options: `--components.sentiment.model.precision=fp32`."


def page() -> str:
    from mmpipe.cli.exit_codes import ExitCode
    from mmpipe.cli.main import app

    root = typer.main.get_command(app)
    parts = [
        MADE,
        "# The command line",
        str(root.help),
        "Data goes to standard output, progress and messages to standard error. `mmpipe COMMAND --help` shows what "
        "stands here.",
        _options(root),
        "## Exit codes",
        table(("code", "meaning"), ((f"{code.value}", prose(_CODES[code.name])) for code in ExitCode)),
    ]
    for name, command, origin in commands():
        parts += _told(name, command, origin)
    return "\n\n".join(part for part in parts if part) + "\n"


_CODES = {
    "OK": "all well; of a run, all records written",
    "FAILURE": "failure",
    "USAGE": "wrong usage",
    "INVALID": "the pipeline, a plugin or a model is not valid",
    "SOME_FAILED": "finished; some records failed and stand in the errors file or the quarantine",
    "NO_INPUT": "there is nothing to read",
    "INTERRUPTED": "interrupted; the same command goes on",
}


def commands() -> Iterator[tuple[str, Any, str]]:
    """(name, click command, distribution) of each, those of groups behind their group.

    Raises ValueError where a plugin of the tree is not installed: its commands would be left out.
    """
    from mmpipe.cli.main import PluginGroup
    from mmpipe.plugins import get_plugins

    registry = get_plugins()
    installed = {plugin.distribution: plugin for plugin in registry.plugins if plugin.status == "loaded"}
    if lacking := [dist.name for dist in plugins() if dist.name not in installed]:
        raise ValueError(f"{', '.join(lacking)} is not installed, so its commands are unknown")
    ours = {dist.name for dist in distributions()}
    for name in registry.names("commands"):
        origin = registry.find("commands", name).plugin.distribution
        if origin in ours:
            yield from _with_commands(name, PluginGroup()._import(name), origin)


def _with_commands(name: str, command: Any, origin: str) -> Iterator[tuple[str, Any, str]]:
    yield name, command, origin
    for other, below in getattr(command, "commands", {}).items():
        yield from _with_commands(f"{name} {other}", below, origin)


def _told(name: str, command: Any, origin: str) -> list[str]:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    shown = [_value(argument) if argument.required else f"[{_value(argument)}]" for argument in arguments]
    usage = " ".join([f"mmpipe {name}", "[OPTIONS]", *(shown or ["COMMAND"] * hasattr(command, "commands"))])
    text = "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", str(command.help or "").strip()))
    rows = [(f"`{_value(argument)}`", prose(argument.help or "")) for argument in arguments]
    return [
        f"## mmpipe {name}",
        f"`{usage}`" + (f" (from `{origin}`)" if origin != "mmpipe" else ""),
        text,
        _OVERRIDES if command.ignore_unknown_options else "",
        table(("argument", "meaning"), rows) if rows else "",
        _options(command),
    ]


def options_of(command: Any) -> list[Any]:
    """The options that a command's help lists, without --help."""
    found = (parameter for parameter in command.params if parameter.param_type_name == "option")
    return [option for option in found if not option.hidden and option.name != "help"]


def _options(command: Any) -> str:
    rows = []
    for option in options_of(command):
        names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
        names += "".join(f" / `{name}`" for name in option.secondary_opts)
        value = "" if _is_switch(option) else f" `{_value(option)}`"
        rows.append((names + value, _default(option), prose(option.help or "") + _range(option)))
    return table(("option", "default", "meaning"), rows) if rows else ""


def _value(parameter: Any) -> str:
    """What stands for the value in usage lines. Versions of Typer differ in what they show where none is named."""
    if parameter.metavar:
        return str(parameter.metavar)
    is_number = any(bound is not None for bound in _bounds(parameter)) or type(parameter.default) in (int, float)
    word = parameter.name.upper() if parameter.param_type_name == "argument" else "TEXT"
    return "N" if is_number else word


def _range(option: Any) -> str:
    low, high = _bounds(option)
    # That a number is not below 0 goes without saying.
    told = [f"at least {low}"] * bool(low) + [f"at most {high}"] * (high is not None)
    repeated = " Can be repeated." if option.multiple else ""
    return (f" It is {' and '.join(told)}." if told else "") + repeated


def _bounds(parameter: Any) -> tuple[Any, Any]:
    kind = getattr(parameter, "type", None)
    return tuple(getattr(parameter, end, getattr(kind, end, None)) for end in ("min", "max"))  # type: ignore[return-value]


def _is_switch(option: Any) -> bool:
    return bool(getattr(option, "is_flag", False))


def _default(option: Any) -> str:
    """`required`, `none`, or the value. A switch is off."""
    if option.required:
        return "required"
    if _is_switch(option):
        return "on" if option.default is True else "off"
    # Where there is no default, versions of Typer have None or a mark of their own.
    return f"`{option.default}`" if isinstance(option.default, str | int | float) and option.default != "" else "none"
