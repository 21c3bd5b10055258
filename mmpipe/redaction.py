"""What a component has that makes the runs of its pipeline private."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


class Redactor(Protocol):
    """Stands in the attribute `redactor` of a component. `mmpipe run` of such a pipeline is private.

    In a private run every result passes `redact_result` before it is written. A record that fails, or whose result
    cannot be redacted, leaves with its place, its id and the type of the error alone; what components and libraries
    say in messages, warnings, logs and prints is withheld. A component whose `redactor` is None asks for none of that.
    """

    def redact_result(self, result: dict[str, Any], doc: Doc, *, text_key: str) -> dict[str, Any]:
        """The result as it may leave the run; where this raises, nothing of the record does.

        result: as `mmpipe.to_record` makes it, to be changed or replaced. doc: that it was made of, with its raw text.
        text_key: the key of the record that held the text.
        """
        ...

    def redact_text(self, text: str) -> str:
        """A short text that leaves beside the results: an id, a place such as `letters.jsonl:17`, a key."""
        ...


def redactors_of(nlp: Language) -> list[Redactor]:
    """Of the components of a pipeline, in order; none where its runs are not private."""
    found = (getattr(pipe, "redactor", None) for _, pipe in nlp.components)
    return [redactor for redactor in found if redactor is not None]
