"""spaCy's DocBin (.spacy): a Doc is a record. The format is one piece, so that a file has to fit memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from mmpipe.corpus.jsonl import encode
from mmpipe.corpus.source import Item, Source
from mmpipe.document import record_of, to_record
from mmpipe.errors import NoInputError, RecordError

if TYPE_CHECKING:
    from mmpipe.corpus.columns import Columns


def read(source: Source) -> Iterator[Item]:
    """One item a Doc: its record, where mmpipe wrote it (without the fields of components), and its text.

    Raises NoInputError where the file is no DocBin.
    """
    with source.open() as stream:
        data = stream.read()
    try:
        docs = DocBin().from_bytes(data)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zlib.error) as error:
        said = " ".join(str(error).split())[:200]
        step = "write it with DocBin.to_disk; files of one Doc (Doc.to_disk) are something else"
        raise NoInputError(f"is no DocBin: {said}", where=source.name, next_step=step) from None
    n_docs, found = len(docs), docs.get_docs(Vocab())
    for index in range(n_docs):
        origin, n_bytes = f"{source.name}:{index + 1}", len(data) * (index + 1) // n_docs
        try:
            record = _record(next(found), source.text_key)
        except RecordError as error:
            yield Item(origin, error=error, raw=f"Doc {index + 1} of {n_docs}", n_bytes=n_bytes, offset=index)
        except Exception as error:  # What is damaged in it, spaCy says in many ways.
            said = (
                f"Doc {index + 1} of {n_docs} cannot be read, nor those behind it: {' '.join(str(error).split())[:200]}"
            )
            problem = RecordError(said, where=origin, next_step="write the file again")
            yield Item(origin, error=problem, raw=said, n_bytes=n_bytes, offset=index)
            return
        else:
            yield Item(origin, record, n_bytes=n_bytes, offset=index)


def _record(doc: Doc, text_key: str) -> dict[str, Any]:
    record = to_record(doc, []) if record_of(doc) else {}
    return record if text_key in record or not len(doc) else {**record, text_key: doc.text}


class Writer:
    """Writes Docs with all that spaCy knows of them, their records, and what their components set that is JSON data.

    Tensors (`doc.tensor`, what a transformer leaves on the Doc) are left out. The Docs stay in memory until `close`.
    """

    def __init__(self, stream: BinaryIO, columns: Columns | None = None) -> None:
        self.stream = stream
        self._docs = DocBin(store_user_data=True)

    def write(self, doc: Doc) -> None:
        # Alone first: a DocBin that raises in the middle of a Doc keeps the half of it.
        alone, given = DocBin(store_user_data=True), doc.user_data
        doc.user_data = {key: value for key, value in given.items() if _is_json(value)}
        try:
            alone.add(doc)
        finally:
            doc.user_data = given
        self._docs.merge(alone)

    def close(self) -> None:
        self.stream.write(self._docs.to_bytes())


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
