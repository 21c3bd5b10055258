"""What happens to a record: the one definition, which every engine calls."""

from __future__ import annotations

import gc
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.corpus.private import Privacy
from mmpipe.corpus.source import Item
from mmpipe.document import inputs_of, make_doc, spacy_annotations, spacy_own, to_record
from mmpipe.errors import MmpipeError, RecordError

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


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
        """Plain data, the same whenever the same thing fails: addresses in memory are left out."""
        is_ours = isinstance(self.error, MmpipeError)
        said = self.error.what if is_ours else " ".join(str(self.error).split())
        trace = None if is_ours else _ADDRESS.sub("0x...", "".join(traceback.format_exception(self.error)))
        return {
            "origin": self.origin,
            "component": self.component,
            "error": type(self.error).__name__,
            "message": _ADDRESS.sub("0x...", said),
            "next_step": (self.error.next_step if is_ours else None) or _next_step(self.component),
            "traceback": trace,
            "record": self.record,
        }


class Processor:
    """Runs a pipeline over batches of items.

    nlp: the pipeline. text_key: the key that holds the text. gives: what a success is, a result or its Doc.
    seconds: spent in each component so far. n_tokens: spaCy's, of all documents that came through.
    privacy: what of a result may leave. Raises ConfigError for Docs of a private pipeline.
    """

    def __init__(self, nlp: Language, *, text_key: str = "text", gives: Literal["results", "docs"] = "results") -> None:
        self.nlp, self.text_key, self.gives, self.privacy = nlp, text_key, gives, Privacy.of(nlp)
        self.privacy.check_docs(gives == "docs")
        self.assigns = {name: set(nlp.get_pipe_meta(name).assigns) for name in nlp.pipe_names}
        self._own = spacy_own(self.assigns)
        self._declared = {
            name.removeprefix("doc._.") for names in self.assigns.values() for name in names if "._." in name
        }
        self.seconds: Counter[str] = Counter()
        self.n_tokens = 0

    def process(self, items: Sequence[Item], *, root: Path) -> list[dict[str, Any] | Doc | Failure]:
        """A success or a failure for each item, in order. Only the items at fault fail, whatever they travel with.

        A batch that fails as a whole, for want of memory too, is halved until the items at fault are alone.
        Raises MmpipeError where no item is to blame.
        """
        outcomes = self._attempt(items, list(range(len(items))), root)
        return [outcomes[index] for index in range(len(items))]

    def _attempt(self, items: Sequence[Item], indices: list[int], root: Path) -> dict[int, Any]:
        outcomes: dict[int, Any] = {}
        docs = []
        for index in indices:
            try:
                doc = self._doc(items[index], root)
            except Exception as error:
                outcomes[index] = _failure(items[index], None, error)
            else:
                doc._context = index
                docs.append(doc)
        outcomes |= self._pipe(items, docs)
        lost = [index for index in indices if index not in outcomes]
        if len(lost) == 1 and len(indices) == 1:
            error = RecordError(
                "a component dropped the document, or put another in its place, without an error",
                where=items[lost[0]].origin,
                next_step="components must hand on the Doc that they were given",
            )
            return {lost[0]: _failure(items[lost[0]], None, error)}
        if lost:
            # They were lost with a neighbour: in smaller company each has its own fate.
            middle = (len(lost) + 1) // 2
            for half in (lost[:middle], lost[middle:]) if len(lost) > 1 else (lost,):
                outcomes |= self._attempt(items, half, root)
        return outcomes

    def _doc(self, item: Item, root: Path) -> Doc:
        if item.error is not None:
            raise item.error
        try:
            return make_doc(self.nlp, item.identified, root=root, text_key=self.text_key)
        except RecursionError:
            raise RecordError("is nested too deeply", where=item.origin, next_step="flatten the record") from None

    def _pipe(self, items: Sequence[Item], docs: list[Doc]) -> dict[int, Any]:
        """Outcomes of those documents that came through or failed alone."""
        outcomes: dict[int, Any] = {}

        def note(component: str, pipe: Any, failed: list[Doc], error: Exception) -> None:
            if len(failed) == 1:
                outcomes[failed[0]._context] = _failure(items[failed[0]._context], component, error)

        self.nlp.set_error_handler(note)
        n_docs, alone = len(docs), docs[0]._context if len(docs) == 1 else None
        inputs = {doc._context: inputs_of(doc, self.text_key) for doc in docs}
        for name, pipe in self.nlp.pipeline:
            began = time.perf_counter()
            try:
                docs = [doc for doc in _through(pipe, name, docs, note) if isinstance(doc, Doc)]
            except Exception as error:
                if isinstance(error, MmpipeError) and not isinstance(error, RecordError):
                    raise  # A model or a plugin is to blame, no document.
                if n_docs == 1:
                    outcomes.setdefault(alone, _failure(items[alone], name, error))
                else:
                    _make_room(error)
                return outcomes
            finally:
                self.seconds[name] += time.perf_counter() - began
            harmed = {doc._context for doc in docs if inputs_of(doc, self.text_key) != inputs.get(doc._context)}
            for index in harmed - {None}:
                outcomes[index] = _failure(items[index], name, _overwritten(items[index]))
            docs = [doc for doc in docs if doc._context not in harmed]
        for doc in docs:
            index = doc._context
            if index is None:  # Not one of ours: a component made it.
                continue
            try:
                result = self._result(doc)
            except Exception as error:
                outcomes[index] = _failure(items[index], None, error)
            else:
                outcomes[index] = result if self.gives == "results" else doc
                self.n_tokens += len(doc)
        return outcomes

    def _result(self, doc: Doc) -> dict[str, Any]:
        result = to_record(doc)
        for name in sorted(self._declared - result.keys()):
            if doc.has_extension(name) and doc._.get(name) is not None:
                to_record(doc, [name])  # raises, and says why it is not in the result
        for name, value in spacy_annotations(doc, self._own).items():
            if name in result:
                raise RecordError(
                    f"the record already has a key {name!r}, which a component of spaCy's would overwrite",
                    where=f"record {result.get('id')!r}",
                    next_step="rename that key",
                )
            result[name] = value
        return self.privacy.result(result, doc, self.text_key)


def _overwritten(item: Item) -> RecordError:
    return RecordError(
        "the component wrote over the record or its media, which are to come back as they were",
        where=item.origin,
        next_step="components write to a field of their own in doc._; see `mmpipe.testing.check_component`",
    )


def _through(pipe: Any, name: str, docs: list[Doc], note: Any) -> Iterator[Any]:
    """The documents after one component, as spaCy's `Language.pipe` calls it."""
    if hasattr(pipe, "pipe"):
        yield from pipe.pipe(docs, batch_size=max(len(docs), 1))
        return
    for doc in docs:
        try:
            yield pipe(doc)
        except Exception as error:
            note(name, pipe, [doc], error)


def _make_room(error: Exception) -> None:
    """Give back what a batch that was too large for memory still holds, before half of it is tried."""
    if isinstance(error, MemoryError) or "memory" in str(error):
        error.__traceback__ = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _next_step(component: str | None) -> str:
    return f"see the traceback: {component!r} raised this" if component else "mend the record"


def _failure(item: Item, component: str | None, error: Exception) -> Failure:
    return Failure(item.origin, component, error, item.record if item.record is not None else item.raw)
