"""What a batch that fails as a whole costs: its parts are tried, and only the records at fault fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.corpus.process import Failure, Processor
from mmpipe.corpus.source import Item


class Hungry:
    """A pipe that has no memory for more than `most` documents, nor for one that is "huge"."""

    def __init__(self, most: int, error: type[Exception]) -> None:
        self.most, self.error, self.sizes = most, error, list[int]()

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], batch_size: int = 1) -> Iterator[Doc]:
        docs = list(docs)
        self.sizes.append(len(docs))
        if len(docs) > self.most or any(doc.text == "huge" for doc in docs):
            raise self.error("out of memory: tried to allocate 96 GiB")
        yield from docs


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_want_of_memory_halves_the_batch_before_it_blames_a_record(error: type[Exception]) -> None:
    nlp, hungry = spacy.blank("en"), Hungry(3, error)
    Language.factory(f"hungry_{error.__name__}", func=lambda nlp, name: hungry)
    nlp.add_pipe(f"hungry_{error.__name__}")
    texts = [f"text {i}" for i in range(20)]
    texts[13] = "huge"
    items = [Item(f"in:{i}", {"text": text}) for i, text in enumerate(texts)]
    found = Processor(nlp).process(items, root=Path())
    assert [i for i, one in enumerate(found) if isinstance(one, Failure)] == [13]
    assert [one["text"] for i, one in enumerate(found) if i != 13] == [text for text in texts if text != "huge"]
    assert found[13].error.__class__ is error and found[13].record == {"text": "huge"}
    assert hungry.sizes[0] == 20 and max(hungry.sizes[1:]) == 10, "it was halved, not taken apart at once"


HARM = {
    "record": lambda doc: doc._.set("record", {"n": 1}),
    "id": lambda doc: doc._.record.update(id="another"),
    "text": lambda doc: doc._.record.pop("text"),
    "media": lambda doc: doc._.set("media", {"n": 1}),
}


@pytest.mark.parametrize("what", HARM)
def test_a_component_that_writes_over_the_record_costs_that_record_and_not_its_contents(what: str) -> None:
    def harm(doc: Doc) -> Doc:
        if "bad" in doc.text:
            HARM[what](doc)
        doc._.record["seen"] = True  # Not asked for, and no harm.
        return doc

    nlp = spacy.blank("en")
    Language.component(f"harm_{what}", func=harm)
    nlp.add_pipe(f"harm_{what}")
    items = [Item(f"in:{i}", {"id": i, "text": text}) for i, text in enumerate(["good", "bad", "good"])]
    found = Processor(nlp).process(items, root=Path())
    assert [one for one in found if isinstance(one, dict)] == [{"id": i, "text": "good", "seen": True} for i in (0, 2)]
    assert isinstance(found[1], Failure) and found[1].component == f"harm_{what}"
    assert "wrote over the record" in str(found[1].error) and found[1].record == {"id": 1, "text": "bad"}
