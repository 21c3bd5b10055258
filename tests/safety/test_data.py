"""Records and results are data, too. What images may be opened is tested in tests/media/test_reference.py."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmpipe.corpus.source import find_inputs
from mmpipe.errors import MmpipeError
from mmpipe.plugins import get_plugins
from mmpipe.testing.watch import watched


class Payload:
    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple:
        return open, (self.trace, "w")


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet", ".arrow", ".txt", ".spacy", ".png", ".pdf"])
@pytest.mark.parametrize("packing", ["", ".gz"])
def test_a_pickle_is_no_corpus(ending: str, packing: str, home: Path) -> None:
    file = home / f"in{ending}{packing}"
    file.write_bytes(pickle.dumps(Payload(home / "trace")))
    with watched(home) as watch:
        try:
            for given in find_inputs([str(file)], get_plugins()):
                list(given)
        except MmpipeError:
            pass
    assert not [line for line in watch.seen if line.startswith(("unpickles", "runs", "connects"))]
    assert not (home / "trace").exists()


def test_a_docbin_with_pickled_user_data(home: Path) -> None:
    import spacy
    import srsly
    from spacy.tokens import DocBin

    nlp = spacy.blank("en")
    docs = DocBin(docs=[nlp("a b")], store_user_data=True)
    blob = pickle.dumps(Payload(home / "trace"))
    array = {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": blob}
    docs.user_data = [srsly.msgpack_dumps([[["._.", "record", None, None], array]])]
    (home / "in.spacy").write_bytes(docs.to_bytes())
    (given,) = find_inputs([str(home / "in.spacy")], get_plugins())
    with watched(home) as watch:
        items = list(given)
    assert items[0].error is not None
    assert not watch.seen and not (home / "trace").exists()


@pytest.mark.parametrize("where", ["../secret/secret.json", "../secret"])
def test_records_name_no_files_to_read(where: str, tried: Callable, home: Path) -> None:
    import mmpipe

    record: Any = {"id": "a", "text": "x", "image": where}
    nlp = tried({"nlp": {"lang": "en"}}).nlp
    with watched(home) as watch, pytest.raises(mmpipe.RecordError, match="outside the corpus folder"):
        mmpipe.make_doc(nlp, record, root=home)
    assert not [line for line in watch.seen if "secret" in line]
