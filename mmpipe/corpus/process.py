"""What happens to a record: the one definition, which every engine calls."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.corpus.source import Item
from mmpipe.document import make_doc, spacy_annotations, to_record
from mmpipe.errors import MmpipeError, RecordError


@dataclass(frozen=True)
class Failure:
    """A record that could not be processed, as the errors file shows it.

    component: the component that raised; None where the record failed before or after the pipeline.
    """

    origin: str
    component: str | None
    error: Exception
    record: dict[str, Any] | str | None

    def as_dict(self) -> dict[str, Any]:
        is_ours = isinstance(self.error, MmpipeError)
        said = self.error.what if is_ours else " ".join(str(self.error).split())
        return {
            "origin": self.origin,
            "component": self.component,
            "error": type(self.error).__name__,
            "message": said,
            "next_step": (self.error.next_step if is_ours else None) or _next_step(self.component),
            "traceback": None if is_ours else "".join(traceback.format_exception(self.error)),
            "record": self.record,
        }


class Processor:
    """Runs a pipeline over batches of items.

    nlp: the pipeline. root: the folder that media paths are relative to. text_key: the key that holds the text.
    """

    def __init__(self, nlp: Language, *, text_key: str = "text") -> None:
        self.nlp = nlp
        self.text_key = text_key
        self.assigns = {name: set(nlp.get_pipe_meta(name).assigns) for name in nlp.pipe_names}

    def process(self, items: Sequence[Item], *, root: Path) -> list[dict[str, Any] | Failure]:
        """A result or a failure for each item, in order. Only the items at fault fail, whatever they travel with."""
        outcomes: dict[int, dict[str, Any] | Failure] = {}
        docs: dict[int, Doc] = {}
        for index, item in enumerate(items):
            try:
                docs[index] = self._doc(item, root)
            except Exception as error:
                outcomes[index] = _failure(item, None, error)
        outcomes |= self._pipe(items, docs)
        for index in [index for index in docs if index not in outcomes]:
            # It was lost with a neighbour, in a component that gives up its whole batch: alone it has its own fate.
            try:
                alone = self._pipe(items, {index: self._doc(items[index], root)})
            except Exception as error:
                alone = {index: _failure(items[index], None, error)}
            lost = RecordError(
                "a component dropped the document, or put another in its place, without an error",
                where=items[index].origin,
                next_step="components must hand on the Doc that they were given",
            )
            outcomes |= alone or {index: _failure(items[index], None, lost)}
        return [outcomes[index] for index in range(len(items))]

    def _doc(self, item: Item, root: Path) -> Doc:
        if item.error is not None:
            raise item.error
        record = item.record or {}
        record = record if record.get("id") is not None else {**record, "id": item.origin}
        try:
            return make_doc(self.nlp, record, root=root, text_key=self.text_key)
        except RecursionError:
            raise RecordError("is nested too deeply", where=item.origin, next_step="flatten the record") from None

    def _pipe(self, items: Sequence[Item], docs: dict[int, Doc]) -> dict[int, dict[str, Any] | Failure]:
        """Outcomes of those documents that came through or failed alone."""
        outcomes: dict[int, dict[str, Any] | Failure] = {}

        def note(component: str, pipe: Any, failed: list[Doc], error: Exception) -> None:
            if len(failed) == 1:
                outcomes[failed[0]._context] = _failure(items[failed[0]._context], component, error)

        self.nlp.set_error_handler(note)
        stream = self.nlp.pipe(
            ((doc, index) for index, doc in docs.items()), as_tuples=True, batch_size=max(len(docs), 1)
        )
        try:
            for doc, index in stream:
                if index is None:  # Not one of ours: a component made it.
                    continue
                try:
                    outcomes[index] = self._result(doc)
                except Exception as error:
                    outcomes[index] = _failure(items[index], None, error)
        except Exception as error:
            if isinstance(error, MmpipeError) and not isinstance(error, RecordError):
                raise  # A model or a plugin is to blame, no document.
            if len(docs) == 1:
                index = next(iter(docs))
                outcomes.setdefault(index, _failure(items[index], None, error))
        return outcomes

    def _result(self, doc: Doc) -> dict[str, Any]:
        result = to_record(doc)
        declared = {name.removeprefix("doc._.") for names in self.assigns.values() for name in names if "._." in name}
        for name in sorted(declared - result.keys()):
            if doc.has_extension(name) and doc._.get(name) is not None:
                to_record(doc, [name])  # raises, and says why it is not in the result
        for name, value in spacy_annotations(doc, self.assigns).items():
            if name in result:
                raise RecordError(
                    f"the record already has a key {name!r}, which a component of spaCy's would overwrite",
                    where=f"record {result.get('id')!r}",
                    next_step="rename that key",
                )
            result[name] = value
        return result


def _next_step(component: str | None) -> str:
    return f"see the traceback: {component!r} raised this" if component else "mend the record"


def _failure(item: Item, component: str | None, error: Exception) -> Failure:
    return Failure(item.origin, component, error, item.record if item.record is not None else item.raw)
