"""What a plugin may provide: the kinds that `mmpipe plugins new` has a template for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmpipe.errors import MmpipeError
from mmpipe.names import nearest


@dataclass(frozen=True)
class Kind:
    """A kind of thing that a plugin provides.

    name: what `--kind` takes, and the folder of its templates. summary: what its template does.
    noun: how the description of a project names it.
    suffix: what the name of its thing ends with where a plugin provides several, so that a metric and a pipeline are
        not called alike; "" where it goes by the plugin's name in any case.
    """

    name: str
    noun: str
    summary: str
    suffix: str = ""

    @property
    def registered(self) -> str:
        """What the registry of plugins calls it."""
        return f"{self.name}s"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "component",
            "a component",
            "a step of a pipeline: marks the terms of a list; with a model: around that",
        ),
        Kind("reader", "a reader", "a format to read: mail, one message (.eml) or many (.mbox)", "mail"),
        Kind("writer", "a writer", "a format to write: a Markdown table (.md)", "table"),
        Kind("metric", "a metric", "a measure for `mmpipe evaluate`: the error of numbers", "error"),
        Kind("pipeline", "a named pipeline", "a pipeline that is loaded by its name"),
        Kind("command", "a command", "a command of mmpipe: which keys the records of files have", "keys"),
        Kind("model", "a model", "a small model with its card, and the script that trains it"),
    )
}
"""In the order in which a project lists them."""


def find_kinds(wanted: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds of these names, each once, in the order of KINDS. Raises MmpipeError for an unknown name or none."""
    wanted = [name.strip().lower() for name in wanted]
    for name in wanted:
        if name not in KINDS:
            raise MmpipeError(
                f"there is no kind {name!r}", where="--kind", next_step=nearest(name, KINDS, listing="kinds")
            )
    if not wanted:
        raise MmpipeError(
            "it is not said what the plugin provides",
            where="--kind",
            next_step=f"name one or several: --kind component; kinds: {', '.join(KINDS)}",
        )
    return tuple(kind for name, kind in KINDS.items() if name in wanted)
