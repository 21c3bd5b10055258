"""The errors of mmpipe. Each says what was got, where, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class MmpipeError(Exception):
    """Base of every error that mmpipe raises on purpose.

    what: what went wrong, with the value that was got.
    where: the place: a file and line, a section and key, a record id, a plugin.
    next_step: what the reader can do about it.
    may_quote: whether the message may quote a record; a private run, of which no text is to leak, then withholds it.
    """

    may_quote: bool = True

    def __init__(self, what: str, *, where: str | None = None, next_step: str | None = None) -> None:
        super().__init__(what, where, next_step)
        self.what = what
        self.where = where
        self.next_step = next_step

    def __reduce__(self) -> tuple:
        return _rebuild, (type(self), self.__dict__)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  next: {self.next_step}" if self.next_step else text


class PluginError(MmpipeError):
    """A plugin could not be loaded, or broke the contract. Names distribution and version."""


class ModelError(MmpipeError):
    """A model reference, its weights or its settings cannot be used."""


class RecordError(MmpipeError):
    """One record cannot be read, processed or written; the others can."""


class NoInputError(MmpipeError):
    """There is nothing to read."""


class StopRun(MmpipeError):
    """Raised by a hook of a plugin to end the run. What is finished stays, and the same command goes on."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a pipeline's config: where (`components.qa.model.name`), what, and the mend.

    is_plugin: the config is well; a plugin that it needs is not.
    """

    where: str
    what: str
    next_step: str
    is_plugin: bool = False

    def __str__(self) -> str:
        return str(MmpipeError(self.what, where=self.where, next_step=self.next_step))


class ConfigError(MmpipeError):
    """A pipeline's config is not valid. `faults` holds every fault found, not only the first."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        next_step: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"- {fault}" for fault in self.faults)])


def _rebuild(kind: type[MmpipeError], state: dict) -> MmpipeError:
    """Unpickle an error with all its places, so that it crosses process boundaries whole."""
    error = kind.__new__(kind)
    Exception.__init__(error, state["what"], state["where"], state["next_step"])
    error.__dict__.update(state)
    return error
