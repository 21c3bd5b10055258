"""What components need and write: no need unmet by an earlier component, no field written by two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmpipe.errors import Fault
from mmpipe.names import nearest


@dataclass(frozen=True)
class Stage:
    """A component in its place.

    assigns, requires: as declared to `@Language.factory`, such as `doc._.sentiment` or `doc.ents`.
    settings: its config block with defaults filled in; defaults: the defaults alone.
    is_known: False for a component copied from another pipeline, of which nothing is declared here.
    """

    name: str
    assigns: Sequence[str] = ()
    requires: Sequence[str] = ()
    settings: Mapping[str, Any] = ()  # type: ignore[assignment]
    defaults: Mapping[str, Any] = ()  # type: ignore[assignment]
    is_known: bool = True

    @property
    def fields(self) -> list[str]:
        """What it assigns with its settings: `doc._.<default field>` follows `field`, and one that has the setting
        `per_sentence` writes spans where that is true."""
        settings, defaults = dict(self.settings), dict(self.defaults)
        default = f"doc._.{defaults.get('field')}"
        left_out = {"doc.spans"} if settings.get("per_sentence") is False else set()
        return [
            f"doc._.{settings['field']}" if name == default and "field" in settings else name
            for name in self.assigns
            if name not in left_out
        ]

    @property
    def claims(self) -> list[tuple[str, str]]:
        """What no other component may write, each with the setting that moves it elsewhere."""
        settings = dict(self.settings)
        claims = [(name, "field") for name in self.fields if name.startswith("doc._.")]
        if "cats_prefix" in settings and "doc.cats" in self.assigns:
            claims.append((f"doc.cats[{settings['cats_prefix']!r} ...]", "cats_prefix"))
        if settings.get("spans_key") and "doc.spans" in self.fields:
            claims.append((f"doc.spans[{settings['spans_key']!r}]", "spans_key"))
        return claims


def flow_faults(stages: Sequence[Stage]) -> Iterator[Fault]:
    """Faults of the order and the fields of a pipeline, in pipeline order."""
    assigned: set[str] = set()
    owners: dict[str, str] = {}
    is_complete = True
    for stage in stages:
        for need in stage.requires:
            if is_complete and need not in assigned:
                later = [other.name for other in stages if need in other.fields]
                hint = (
                    f"move {later[0]!r} before it" if later else nearest(need, assigned, listing="assigned before it")
                )
                yield Fault(f"components.{stage.name}", f"requires {need}, which no earlier component assigns", hint)
        for claim, setting in stage.claims:
            if claim in owners:
                yield Fault(
                    f"components.{stage.name}.{setting}",
                    f"{claim} is already written by {owners[claim]!r}",
                    f"give one of them another {setting}",
                )
            owners.setdefault(claim, stage.name)
        assigned.update(stage.fields)
        is_complete = is_complete and stage.is_known
