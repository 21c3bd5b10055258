"""`mmpipe.ListenerClassifier.v1`: a classifier over an encoder that other components of the pipeline share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model, Softmax, chain, list2ragged, reduce_mean
from thinc.types import Floats2d
from thinc.util import to_numpy

from mmpipe.models.classifier import Classification

NAME = "mmpipe.ListenerClassifier.v1"


def ListenerClassifier(tok2vec: Model[list[Doc], list[Floats2d]]) -> Model[list[Doc], Floats2d]:
    """A thinc model from documents to probabilities: mean over the tokens' vectors, one layer, softmax.

    tok2vec: what gives token vectors, usually a listener, `spacy.Tok2VecListener.v1` or
        `spacy-transformers.TransformerListener.v1`: then the encoder runs once for all who listen to it.

    Output: float32, shape (n_docs, n_labels), in the order of `labels_of(model)`. It learns as spaCy's components
    do, by `begin_update` and a gradient; there is no checkpoint behind it, so nothing is windowed or truncated here.
    """
    output = Softmax()
    model = chain(tok2vec, list2ragged(), reduce_mean(), output)
    model.name = NAME
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    model.attrs["labels"] = []
    return model


def listens(model: Model) -> bool:
    """Whether the model is one of these: it takes documents and not texts."""
    return model.name == NAME


def labels_of(model: Model) -> list[str]:
    """The label names, in the order of the output."""
    return list(model.attrs["labels"])


def start(model: Model, docs: Sequence[Doc], labels: Sequence[str]) -> None:
    """Give the model its labels and, from a sample of documents, its sizes; the weights are new."""
    model.attrs["labels"] = list(labels)
    model.get_ref("output_layer").set_dim("nO", len(labels))
    model.initialize(X=list(docs))


def classify(model: Model, docs: Sequence[Doc]) -> list[Classification]:
    """What the model says of each document. One without tokens has no probabilities."""
    # Outside training, a listener reads what the shared encoder wrote to `doc.tensor`.
    legible = [doc for doc in docs if len(doc)]
    rows = iter(to_numpy(model.predict(legible)) if legible else ())
    found = (next(rows) if len(doc) else None for doc in docs)
    return [
        Classification(None, None, 1.0) if row is None else Classification(np.log(np.maximum(row, 1e-12)), row, 1.0)
        for row in found
    ]
