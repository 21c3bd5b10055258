"""The sentences of a document, as components take them."""

from __future__ import annotations

import warnings

from spacy.language import Language
from spacy.tokens import Doc, Span, Token

_OPENING = frozenset("\"'“‘«‹„([{「『（《〈【")
_ENDS_UNSPACED = frozenset("。！？…｡")


def sentences(doc: Doc) -> list[Span]:
    """The sentences of a Doc, without the white space around them; blank ones are left out.

    An opening quotation mark or bracket that a sentence splitter left at the end of a sentence begins the next one.
    Raises ValueError (spaCy's E030) where nothing has set sentence boundaries.
    """
    spans, left_over = [], None
    for sent in doc.sents if len(doc) else ():
        words = [token.i for token in sent if not token.is_space]
        if words and left_over is not None:
            words.insert(0, left_over)
        if words:
            left_over = words.pop() if len(words) > 1 and _opens(doc[words[-1]]) else None
            spans.append(doc[words[0] : words[-1] + 1])
    return spans


def _opens(token: Token) -> bool:
    """Whether a token is a mark that belongs to the word behind it, going by the spaces around it, or by the end of a
    Chinese or Japanese sentence right before it."""
    is_mark = token.text in _OPENING and not token.whitespace_ and token.i + 1 < len(token.doc)
    before = token.nbor(-1) if is_mark else token
    is_unspaced = before.text[-1] in _ENDS_UNSPACED and token.text not in "\"'"  # Straight ones close there.
    return is_mark and bool(before.whitespace_ or before.is_space or is_unspaced)


def ensure_sentences(nlp: Language, name: str) -> None:
    """Add spaCy's `sentencizer` at the head of the pipeline if no component sets sentence boundaries; say so."""
    # spaCy's `senter` declares only the second.
    setters = {"doc.sents", "token.is_sent_start"}
    if any(setters.intersection(nlp.get_pipe_meta(other).assigns) for other in nlp.component_names):
        return
    nlp.add_pipe("sentencizer", first=True)
    warnings.warn(
        f"{name!r} needs sentences and nothing before it finds them: a sentencizer was added at its head",
        stacklevel=3,
    )
