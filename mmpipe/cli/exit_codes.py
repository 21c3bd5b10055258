"""What the exit status of `mmpipe` means."""

from enum import IntEnum

from mmpipe.errors import ConfigError, MmpipeError, ModelError, NoInputError, PluginError


class ExitCode(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    INVALID = 3
    """The pipeline, a plugin or a model is not valid."""
    SOME_FAILED = 4
    """The run finished; some records failed and stand in the errors file."""
    NO_INPUT = 5
    INTERRUPTED = 130


def exit_code_of(error: MmpipeError) -> ExitCode:
    """The exit status that an error ends the command with."""
    if isinstance(error, ConfigError | PluginError | ModelError):
        return ExitCode.INVALID
    return ExitCode.NO_INPUT if isinstance(error, NoInputError) else ExitCode.FAILURE
