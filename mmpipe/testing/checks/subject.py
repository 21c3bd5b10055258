"""A component under examination: how it is built, what goes through it, and what came of that."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.config.dataflow import Stage
from mmpipe.config.results import stage_of
from mmpipe.document import make_doc
from mmpipe.errors import RecordError
from mmpipe.testing.checks.snapshot import Difference, Snapshot, differences, shown, snapshot
from mmpipe.testing.contract import NotChecked
from mmpipe.testing.records import AWKWARD_RECORDS

MAX_BATCH_CHARS = 5_000
"""Texts that are longer go through the component alone only."""


@dataclass
class Passage:
    """One record that went through the component alone.

    label: how messages name it. before, after: what stood on the Doc; after is None where the component raised `error`.
    """

    label: str
    record: Mapping[str, Any]
    is_awkward: bool
    before: Snapshot
    doc: Doc
    after: Snapshot | None = None
    error: Exception | None = None

    @property
    def written(self) -> set[str]:
        """The places that the component wrote."""
        return {found.place.split("[")[0] if "spans[" not in found.place else found.place for found in self.changes}

    @property
    def changes(self) -> list[Difference]:
        return list(differences(self.after or {}, self.before, 0.0)) if self.after is not None else []


@dataclass(eq=False)
class Subject:
    """A factory with its settings, and the records that it is tried on; see mmpipe.testing.check_component."""

    factory: str
    config: dict[str, Any]
    records: Sequence[Mapping[str, Any]]
    earlier: dict[str, dict[str, Any]]
    name: str
    lang: str = "en"
    root: Path = Path(".")
    tolerance: float = 1e-5
    prepare: Callable[[Any], Any] | None = None
    failing: Mapping[str, Any] | None = None
    optional: frozenset[str] = frozenset()
    n_huge_chars: int = 200_000
    timeout_seconds: float = 300.0

    def tree(self, **settings: Any) -> dict[str, Any]:
        """The pipeline's config. settings: added to the component's own."""
        block = {"factory": self.factory, **self.config, **settings}
        components = {**self.earlier, self.name: block}
        return {"nlp": {"lang": self.lang, "pipeline": list(components)}, "components": components}

    def build(self) -> Language:
        """A fresh pipeline."""
        import mmpipe

        nlp = mmpipe.load(self.tree())
        if self.prepare is not None:
            self.prepare(nlp.get_pipe(self.name))
        return nlp

    @functools.cached_property
    def nlp(self) -> Language:
        return self.build()

    @functools.cached_property
    def folder(self) -> tempfile.TemporaryDirectory:
        """For what checks have to write; it goes when the subject does."""
        return tempfile.TemporaryDirectory(prefix="mmpipe-contract-")

    @functools.cached_property
    def saved(self) -> Path:
        """The pipeline, saved and then moved. Raises NotChecked where `to_disk` fails, which has a check of its own."""
        first, second = Path(self.folder.name) / "saved", Path(self.folder.name) / "moved"
        try:
            self.nlp.to_disk(first)
        except Exception as error:
            raise NotChecked(f"the pipeline cannot be saved: {told(error)}") from error
        return first.rename(second)

    @property
    def pipe(self) -> Any:
        return self.nlp.get_pipe(self.name)

    @property
    def stage(self) -> Stage:
        """The component as its factory declares it, with its settings."""
        return stage_of(self.nlp, self.name)

    def doc(self, record: Mapping[str, Any]) -> Doc:
        """A fresh Doc, on which the earlier components have written. Raises RecordError where make_doc does."""
        doc = make_doc(self.nlp, record, root=self.root)
        for name, pipe in self.nlp.pipeline:
            if name == self.name:
                break
            doc = pipe(doc)
        return doc

    @functools.cached_property
    def passages(self) -> list[Passage]:
        """Each record, the awkward ones too, through the component alone."""
        pairs = [(record, False) for record in self.records]
        pairs += [(record, True) for record in AWKWARD_RECORDS.values()]
        found = []
        for index, (record, is_awkward) in enumerate(pairs):
            passage = self.passage(record, is_awkward, index)
            if passage is not None:
                found.append(passage)
        return found

    def passage(self, record: Mapping[str, Any], is_awkward: bool = False, index: int = 0) -> Passage | None:
        """One record through the component. None for an awkward record that does not come as far as the component."""
        try:
            doc = self.doc(record)
        except RecordError:
            if not is_awkward:
                raise
            return None
        label = f"record {record['id']!r}" if "id" in record else f"record number {index + 1}, without id"
        passage = Passage(label, record, is_awkward, snapshot(doc), doc)
        try:
            given = self.pipe(doc)
            if not isinstance(given, Doc):
                raise TypeError(f"the component gave {shown(given)} instead of the Doc")
            passage.after, passage.doc = snapshot(given), given
        except Exception as error:
            passage.error = error
        return passage

    def good(self, *, ordinary: bool = False) -> list[Passage]:
        """The passages that came through, with texts short enough for a batch. Raises NotChecked where none did."""
        found = [passage for passage in self.passages if passage.after is not None]
        found = [p for p in found if len(p.before["doc.text"]) <= MAX_BATCH_CHARS and not (ordinary and p.is_awkward)]
        if not found:
            raise NotChecked("no record came through the component alone; see the other faults")
        return found

    def batch(self, passages: Sequence[Passage], batch_size: int) -> list[Doc]:
        """Fresh Docs of the same records, as the component's own pipe gives them; `doc._context` is the index."""
        docs = [self.doc(passage.record) for passage in passages]
        for index, doc in enumerate(docs):
            doc._context = index
        return list(through(self.pipe, docs, batch_size))

    def unequal(self, docs: Iterable[Doc], passages: Sequence[Passage]) -> Iterator[tuple[Passage, Difference]]:
        """Where Docs of a batch are other than they were alone, those the component lost left out."""
        for doc in docs:
            if isinstance(doc, Doc) and isinstance(doc._context, int):
                passage = passages[doc._context]
                for found in differences(snapshot(doc), passage.after or {}, self.tolerance):
                    yield passage, found


def through(pipe: Any, docs: Iterable[Doc], batch_size: int) -> Iterator[Any]:
    """Documents through one component, as spaCy's `Language.pipe` sends them."""
    if hasattr(pipe, "pipe"):
        yield from pipe.pipe(iter(docs), batch_size=batch_size)
    else:
        for doc in docs:
            yield pipe(doc)


def told(error: BaseException) -> str:
    """An error in a message: its kind and what it says, on one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}"
