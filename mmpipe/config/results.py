"""What a built component says of its results: where they stand, and what columns of a table can hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmpipe.column_types import Type, check
from mmpipe.config.dataflow import Stage
from mmpipe.errors import PluginError

if TYPE_CHECKING:
    from spacy.language import Language


def stage_of(nlp: Language, name: str) -> Stage:
    """The component as its factory declares it, with its settings."""
    meta = nlp.get_pipe_meta(name)
    return Stage(
        name, meta.assigns, meta.requires, {**meta.default_config, **nlp.get_pipe_config(name)}, meta.default_config
    )


def fields_of(nlp: Language, name: str) -> list[str]:
    """Its `doc._` fields: what its attribute `field` says, then what its factory declares with its settings."""
    own = getattr(nlp.get_pipe(name), "field", None)
    declared = [place.removeprefix("doc._.") for place in stage_of(nlp, name).fields if place.startswith("doc._.")]
    return list(dict.fromkeys([own, *declared] if isinstance(own, str) else declared))


def main_field(nlp: Language, name: str) -> str | None:
    """The field that its `metric` judges and its `result_type` describes: its attribute `field`, else its only one."""
    fields = fields_of(nlp, name)
    is_told = isinstance(getattr(nlp.get_pipe(name), "field", None), str)
    return fields[0] if is_told or len(fields) == 1 else None


def types_of(nlp: Language, name: str) -> dict[str, Type]:
    """Field -> what it holds, as a column of a table, as far as the component says.

    It says so in the attribute `result_type`, and one with several fields in `result_types`, field -> type.
    Raises PluginError, with the types there are, for what is none.
    """
    pipe, main = nlp.get_pipe(name), main_field(nlp, name)
    several = getattr(pipe, "result_types", None)
    told = {f"result_types[{field!r}]": (field, kind) for field, kind in _mapping(several, name).items()}
    if main is not None and getattr(pipe, "result_type", None) is not None:
        told = {"result_type": (main, pipe.result_type), **told}
    for where, (_, kind) in told.items():
        try:
            check(kind, where)
        except ValueError as error:
            raise PluginError(
                str(error), where=f"components.{name}", next_step=f"mend {where} of {type(pipe).__name__}"
            ) from None
    return dict(told.values())


def _mapping(several: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(several, Mapping | None):
        raise PluginError(
            f"result_types is {several!r}, which maps no fields to types",
            where=f"components.{name}",
            next_step="write {field: type, ...}, or one type in `result_type`",
        )
    return several or {}
