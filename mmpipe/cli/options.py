"""What several commands share: the pipeline argument, overrides, and warnings that are not ours to show."""

from __future__ import annotations

import os
import warnings
from typing import Annotated, Any

import typer

PipelineArgument = Annotated[
    str,
    typer.Argument(metavar="PIPELINE", help="A config file, a saved pipeline's folder, or a pipeline's name."),
]
GoldOption = Annotated[
    list[str] | None,
    typer.Option(metavar="[NAME=]KEY", help="The key of a record that holds the gold (of a component)."),
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="[NAME:]GOLD=LABEL,...", help="What the gold's labels mean; GOLD= leaves its records out."),
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Read at most so many records.")]
BatchSizeOption = Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Records batched together.")]
DeviceOption = Annotated[str | None, typer.Option(help="Of all models: auto, cpu, cuda:0, ...; a model's own wins.")]
TextKeyOption = Annotated[str, typer.Option(help="The key of a record that holds its text.")]
ReaderOption = Annotated[str | None, typer.Option(help="Read all inputs with this reader.")]
WITH_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context settings of a command that takes `--section.key=value`."""


def quiet() -> None:
    """Keep other libraries' warnings and bars off the terminal, unless the user has asked for them."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if not os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)


def only_overrides(arguments: list[str]) -> dict[str, Any]:
    """The overrides, for a command that takes nothing else. Raises typer.BadParameter for any other argument."""
    plain, overrides = split_overrides(arguments)
    if plain:
        raise typer.BadParameter(f"one PIPELINE at a time; what is {plain[0]!r}?")
    return overrides


def split_overrides(arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Separate plain arguments from `--section.key=value` and `--section.key value`.

    Raises typer.BadParameter for an unknown option, which ends the command as a usage error.
    """
    from mmpipe.config import parse_overrides  # brings spaCy
    from mmpipe.errors import ConfigError

    plain, overrides = [], []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument == "-":
            plain.append(argument)
            continue
        overrides.append(argument)
        if "=" not in argument and "." in argument and rest:
            overrides.append(rest.pop(0))
    try:
        return plain, parse_overrides(overrides)
    except ConfigError as error:
        raise typer.BadParameter(f"{error.what}; {error.next_step}") from None
