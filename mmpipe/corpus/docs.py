"""`mmpipe.read_docs`: the documents of files, for a program, or for a command that a plugin provides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.corpus.source import find_inputs
from mmpipe.document import make_doc
from mmpipe.errors import RecordError
from mmpipe.plugins import get_plugins


def read_docs(
    nlp: Language,
    inputs: Sequence[str] | str,
    *,
    reader: str | None = None,
    text_key: str = "text",
    on_error: Callable[[RecordError], None] | None = None,
) -> Iterator[Doc]:
    """A Doc for each record of files, not yet processed: `nlp.pipe(mmpipe.read_docs(nlp, "reviews.jsonl.gz"))`.

    inputs: files, folders, patterns, or "-" for standard input, read as `mmpipe run` reads them; a record without `id`
        has its place (`reviews.jsonl:17`) for one.
    reader: the name of a reader, for all; by default a file's ending decides.
    text_key: the key that holds the text.
    on_error: called with what is wrong with a record that cannot be read, which is then passed over; None raises it.
    Raises NoInputError, at once, where nothing is there or no reader answers to it.
    """
    found = find_inputs(
        [inputs] if isinstance(inputs, str) else inputs, get_plugins(), reader=reader, text_key=text_key
    )

    def docs() -> Iterator[Doc]:
        for one in found:
            for item in one:
                record = item.record or {}
                record = record if record.get("id") is not None else {**record, "id": item.origin}
                try:
                    if item.error is not None:
                        raise item.error
                    yield make_doc(nlp, record, root=one.source.root, text_key=text_key)
                except RecordError as error:
                    if on_error is None:
                        raise
                    on_error(error)

    return docs()
