"""What components need and write: no need unmet by an earlier component, no field written by two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.util import registry

from mmpipe.document import check_field
from mmpipe.errors import ConfigError, Fault
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
    def named(self) -> dict[str, Any]:
        """The settings that name fields of its own, with their values: `field`, and any other whose name ends so and
        whose default is a field that it assigns."""
        found = {}
        for setting, value in dict(self.settings).items():
            is_assigned = setting.endswith("_field") and f"doc._.{dict(self.defaults).get(setting)}" in self.assigns
            if value is not None and (setting == "field" or is_assigned):
                found[setting] = value
        return found

    @property
    def _movers(self) -> dict[str, str]:
        """What it assigns by default, and the setting that moves it elsewhere."""
        return {f"doc._.{dict(self.defaults).get(setting)}": setting for setting in self.named}

    @property
    def fields(self) -> list[str]:
        """What it assigns with its settings: `doc._.<default field>` follows `field`, and one that has the setting
        `per_sentence` writes spans where that is true."""
        left_out = {"doc.spans"} if dict(self.settings).get("per_sentence") is False else set()
        named, movers = self.named, self._movers
        return [
            f"doc._.{named[movers[name]]}" if name in movers else name for name in self.assigns if name not in left_out
        ]

    @property
    def claims(self) -> list[tuple[str, str]]:
        """What no other component may write, each with the setting that moves it elsewhere."""
        settings = dict(self.settings)
        setting_of = {f"doc._.{value}": setting for setting, value in self.named.items()}
        claims = [(name, setting_of.get(name, "field")) for name in self.fields if name.startswith("doc._.")]
        if "cats_prefix" in settings and "doc.cats" in self.assigns:
            claims.append((f"doc.cats[{settings['cats_prefix']!r} ...]", "cats_prefix"))
        if settings.get("spans_key") and "doc.spans" in self.fields:
            claims.append((f"doc.spans[{settings['spans_key']!r}]", "spans_key"))
        return claims


def flow_faults(stages: Sequence[Stage]) -> Iterator[Fault]:
    """Faults of the order and the fields of a pipeline, in pipeline order."""
    owners: dict[str, str] = {}
    needs = list(unmet(stages))
    for stage in stages:
        for need in (need for name, need in needs if name == stage.name):
            said = f"requires {need}, which no earlier component assigns"
            yield Fault(f"components.{stage.name}", said, _where_from(need, stage, stages))
        yield from _name_faults(stage)
        for claim, setting in stage.claims:
            if claim in owners:
                yield Fault(
                    f"components.{stage.name}.{setting}",
                    f"{claim} is already written by {owners[claim]!r}",
                    f"give one of them another {setting}",
                )
            owners.setdefault(claim, stage.name)


def unmet(stages: Sequence[Stage]) -> Iterator[tuple[str, str]]:
    """The name of a component and what it requires, where no earlier one assigns it. Behind a component of which
    nothing is known, nothing is."""
    assigned: set[str] = set()
    for stage in stages:
        yield from ((stage.name, need) for need in stage.requires if need not in assigned)
        assigned.update(stage.fields)
        if not stage.is_known:
            return


def providers_of(need: str) -> list[str]:
    """The registered factories that assign it, those first that need and assign least."""
    names = [name for name in registry.factories.get_all() if "." not in name and Language.has_factory(name)]
    metas = [meta for name in names if need in (meta := Language.get_factory_meta(name)).assigns]
    return [
        meta.factory for meta in sorted(metas, key=lambda meta: (len(meta.requires), len(meta.assigns), meta.factory))
    ]


def _where_from(need: str, stage: Stage, stages: Sequence[Stage]) -> str:
    """The next step for a component that lacks what it requires."""
    later = [other.name for other in stages if need in other.fields]
    if later:
        return f"move {later[0]!r} before it"
    first, *others = providers_of(need) or [None]
    if first is None:
        earlier = stages[: list(stages).index(stage)]
        known = {name for one in earlier for name in one.fields}
        return nearest(need, known, listing="no component that is installed assigns it; assigned before it")
    return f"put {first!r} before it" + (f"; {', '.join(others[:4])} would do, too" if others else "")


def _name_faults(stage: Stage) -> Iterator[Fault]:
    """Fields that no component can write to, whatever registers them."""
    named = {f"components.{stage.name}.{setting}": value for setting, value in stage.named.items()}
    fixed = [name.removeprefix("doc._.") for name in stage.fields if name.startswith("doc._.")]
    for where, field in (
        *named.items(),
        *((f"components.{stage.name}", one) for one in fixed if one not in named.values()),
    ):
        try:
            check_field(str(field))  # Of what is no string, the factory's own annotation says so.
        except ConfigError as error:
            yield Fault(where, error.what, error.next_step or "")
