"""Which components an explanation is of: those named, or all before it that can be explained."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language

from mmpipe import ConfigError
from mmpipe.component import TransformerPipe
from mmpipe.models.attribution import KINDS, can_probe


def find_explained(nlp: Language, name: str, of: Sequence[str] | None) -> list[TransformerPipe]:
    """The components that `name`, which is being added to the pipeline, explains.

    of: their names; None for all that are there and can be explained.
    Raises ConfigError, naming what is possible, where one cannot, or none is there.
    """
    possible = {other: pipe for other, pipe in nlp.components if is_explainable(pipe)}
    listed = ", ".join(map(repr, possible)) or "none"
    step = (
        f"before it, these can be explained: {listed}"
        if possible
        else f"put it after a component on {' or '.join(KINDS)}, such as mmpipe_sentiment or mmpipe_qa"
    )
    if of is None and not possible:
        raise ConfigError("no component before it can be explained", where=f"components.{name}", next_step=step)
    if of is not None and not of:
        raise ConfigError("an empty list explains nothing", where=f"components.{name}.of", next_step=step)
    for index, other in enumerate(of or ()):
        if other not in possible:
            said = "cannot be explained" if other in nlp.component_names else "is not a component before it"
            raise ConfigError(f"{other!r} {said}", where=f"components.{name}.of.{index}", next_step=step)
    return [possible[other] for other in dict.fromkeys(possible if of is None else of)]


def is_explainable(pipe: object) -> bool:
    return isinstance(pipe, TransformerPipe) and can_probe(pipe.model)
