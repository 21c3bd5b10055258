"""A wordless document told anew in words: spaCy's texts cannot be changed, so another Doc takes its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spacy.tokens import Doc

_STOPS = tuple(".!?…。！？")
_CLOSING = "\"'”’)]»」』"


def retold(doc: Doc, captions: Sequence[str], make_doc: Callable[[str], Doc]) -> Doc:
    """A Doc whose text the captions are: one sentence each, a space between them.

    A caption that ends without a full stop gets one, so that every caption is a sentence to those who split them.
    Everything that components and streams have put on the Doc goes on with the new one: `doc._` and `user_data`
    (the record and its media among them), `cats`, and the context of `nlp.pipe(..., as_tuples=True)`. The record's
    own text stays what it was: a result shows the captions in their field.
    Returns the Doc itself where no caption has words.
    """
    lines = (" ".join(text.split()) for text in captions)
    told = " ".join(_sentence(line) for line in lines if line)
    if not told:
        return doc
    new = make_doc(told)
    new.user_data.update(doc.user_data)
    new.cats = dict(doc.cats)
    new._context = doc._context
    return new


def _sentence(text: str) -> str:
    return text if text.rstrip(_CLOSING).endswith(_STOPS) else f"{text}."
