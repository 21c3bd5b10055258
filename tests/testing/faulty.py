"""Components that each break one promise, and one that keeps them all."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.util import minibatch

from mmpipe.document import set_extension
from mmpipe.errors import RecordError
from mmpipe.testing import fake_classifier

for _name in ("kit_tone", "kit_other", "kit_counted"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)
_COUNTER = itertools.count()


class Tone(Pipe):
    """Keeps the contract: a score of the text, by a model that needs no weights."""

    def __init__(self, name: str, scale: float = 1.0) -> None:
        self.name = name
        self.scale = scale
        self.model = fake_classifier()

    def __call__(self, doc: Doc) -> Doc:
        self.annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        for docs in minibatch(stream, batch_size):
            yield from self.isolate(docs)

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        for doc in docs:
            try:
                self.annotate([doc])
            except Exception as error:
                self.get_error_handler()(self.name, self, [doc], error)
            else:
                yield doc

    def annotate(self, docs: list[Doc]) -> None:
        if any("FAIL" in doc.text for doc in docs):
            raise RecordError("cannot read it")
        scores = self.model.predict([doc.text for doc in docs])[:, 0] * self.scale
        for doc, score in zip(docs, scores, strict=True):
            self.write(doc, float(score))

    def write(self, doc: Doc, score: float) -> None:
        doc._.kit_tone = {"score": score}

    def to_disk(self, path: Any, *, exclude: Any = ()) -> None:
        Path(path).write_text(repr(self.scale))

    def from_disk(self, path: Any, *, exclude: Any = ()) -> Tone:
        self.scale = float(Path(path).read_text())
        return self

    def to_bytes(self, *, exclude: Any = ()) -> bytes:
        return repr(self.scale).encode()

    def from_bytes(self, data: bytes, *, exclude: Any = ()) -> Tone:
        self.scale = float(data.decode())
        return self


class InBatches(Tone):
    """Puts every score in relation to its batch."""

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        scores = self.model.predict([doc.text for doc in docs])[:, 0]
        for doc, score in zip(docs, scores, strict=True):
            self.write(doc, float(score - scores.mean() if len(docs) > 1 else score))
            yield doc


class Undeclared(Tone):
    def write(self, doc: Doc, score: float) -> None:
        super().write(doc, score)
        doc._.kit_other = score


class UndeclaredCats(Tone):
    def write(self, doc: Doc, score: float) -> None:
        super().write(doc, score)
        doc.cats["calm"] = score


class NeverWritten(Tone):
    """Its factory declares `doc.spans` too."""


class Dropping(Tone):
    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        yield from (doc for doc in super().isolate(docs) if doc.text.strip())


class Reordering(Tone):
    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        yield from super().isolate(sorted(docs, key=lambda doc: len(doc.text)))


class Sorting(Tone):
    """Sorts by length and forgets to undo it: results land on other documents."""

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        rows = self.model.predict(sorted((doc.text for doc in docs), key=len))[:, 0]
        for doc, score in zip(docs, rows, strict=True):
            self.write(doc, float(score))
            yield doc


class AllOrNothing(Tone):
    """As spaCy's TrainablePipe: what one document raises, a batch pays for."""

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        try:
            self.annotate(docs)
        except Exception as error:
            self.get_error_handler()(self.name, self, docs, error)
        else:
            yield from docs


class Dying(Tone):
    """Ends the stream with what one document raises."""

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        self.annotate(docs)
        yield from docs


class Swallowing(Tone):
    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        for doc in docs:
            with contextlib.suppress(Exception):
                self.annotate([doc])
            yield doc


class Forgetful(Tone):
    """Saves nothing."""

    def to_disk(self, path: Any, *, exclude: Any = ()) -> None: ...

    def from_disk(self, path: Any, *, exclude: Any = ()) -> Tone:
        return self

    def to_bytes(self, *, exclude: Any = ()) -> bytes:
        return b""

    def from_bytes(self, data: bytes, *, exclude: Any = ()) -> Tone:
        return self


class Arrays(Tone):
    def write(self, doc: Doc, score: float) -> None:
        doc._.kit_tone = np.asarray([score])


class Spans(Tone):
    def write(self, doc: Doc, score: float) -> None:
        doc._.kit_tone = doc[:1]


class NotANumber(Tone):
    def write(self, doc: Doc, score: float) -> None:
        doc._.kit_tone = {"score": score, "entropy": float("nan")}


class ChangesRecord(Tone):
    def write(self, doc: Doc, score: float) -> None:
        super().write(doc, score)
        if doc._.record is not None:
            doc._.record["seen"] = True


class ChangesText(Tone):
    def __call__(self, doc: Doc) -> Doc:
        return self.other(super().__call__(doc))

    def isolate(self, docs: list[Doc]) -> Iterator[Doc]:
        yield from map(self.other, super().isolate(docs))

    def other(self, doc: Doc) -> Doc:
        words = [token.text.lower() for token in doc]
        made = Doc(doc.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc], user_data=doc.user_data)
        made._context = doc._context
        return made


class NeedsWords(Tone):
    def annotate(self, docs: list[Doc]) -> None:
        for doc in docs:
            _ = doc[0]
        super().annotate(docs)


class Short(Tone):
    def annotate(self, docs: list[Doc]) -> None:
        if any(len(doc.text) > 150_000 for doc in docs):
            raise IndexError("index out of range in self")
        super().annotate(docs)


class Moody(Tone):
    """Each result depends on how many there were before."""

    def write(self, doc: Doc, score: float) -> None:
        doc._.kit_tone = {"score": score, "number": next(_COUNTER)}


class Greedy(Tone):
    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        yield from self.isolate(list(stream))


class Stuck(Tone):
    """Gives every document the first one's result."""

    first: float | None = None

    def write(self, doc: Doc, score: float) -> None:
        self.first = score if self.first is None else self.first
        super().write(doc, self.first)


class Typed(Tone):
    field = "kit_tone"
    result_type: ClassVar[Any] = {"score": "float"}


class WronglyTyped(Typed):
    result_type: ClassVar[Any] = {"score": "string"}


class Untyped(Typed):
    result_type: ClassVar[Any] = {"score": "number"}


ASSIGNS = {"NeverWritten": ["doc._.kit_tone", "doc.spans"]}
KINDS = (
    Tone,
    InBatches,
    Undeclared,
    UndeclaredCats,
    NeverWritten,
    Dropping,
    Reordering,
    Sorting,
    AllOrNothing,
    Dying,
    Swallowing,
    Forgetful,
    Arrays,
    Spans,
    NotANumber,
    ChangesRecord,
    ChangesText,
    NeedsWords,
    Short,
    Moody,
    Greedy,
    Stuck,
    Typed,
    WronglyTyped,
    Untyped,
)


def _register(kind: type[Tone]) -> None:
    @Language.factory(f"kit_{kind.__name__}", assigns=ASSIGNS.get(kind.__name__, ["doc._.kit_tone"]))
    def make(nlp: Language, name: str, scale: float = 1.0) -> Tone:
        return kind(name, scale)


for _kind in KINDS:
    if not Language.has_factory(f"kit_{_kind.__name__}"):
        _register(_kind)


@Language.factory("kit_Lax", assigns=["doc._.kit_tone"])
def make_lax(nlp: Language, name: str, **settings: Any) -> Tone:
    return Tone(name)


class Anywhere(Tone):
    """Registers and writes whatever field it is told, as tutorials of spaCy's do."""

    def __init__(self, name: str, field: str) -> None:
        super().__init__(name)
        self.field = field
        if not Doc.has_extension(field):
            Doc.set_extension(field, default=None)

    def write(self, doc: Doc, score: float) -> None:
        doc._.set(self.field, {"score": score})


@Language.factory("kit_Anywhere", assigns=["doc._.kit_tone"], default_config={"field": "kit_tone"})
def make_anywhere(nlp: Language, name: str, field: str) -> Anywhere:
    return Anywhere(name, field)


class Guarded(Anywhere):
    def __init__(self, name: str, field: str) -> None:
        set_extension(field)
        super().__init__(name, field)


@Language.factory("kit_Guarded", assigns=["doc._.kit_tone"], default_config={"field": "kit_tone"})
def make_guarded(nlp: Language, name: str, field: str) -> Guarded:
    return Guarded(name, field)


@Language.factory("kit_Needy", assigns=["doc._.kit_tone"], requires=["doc.sents"])
def make_needy(nlp: Language, name: str) -> Tone:
    return Tone(name)
