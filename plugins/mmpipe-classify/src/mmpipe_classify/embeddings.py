"""`mmpipe_classify.Embeddings.v1`: labels by how near a text is to what is said of each, in an encoder's vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from thinc.api import Model

from mmpipe import ModelError
from mmpipe.models.classifier import Classification, probabilities
from mmpipe.models.embedding import Pooling, embed_readings, unit
from mmpipe.models.reference import Reference
from mmpipe.models.transformer import Backend, Precision, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Reading, read_texts, window_size
from mmpipe_classify.topics import Topics

Asked = tuple[list[str], Topics]


def Embeddings(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    pooling: Pooling = "mean",
    prefix: str = "",
    scale: float = 20.0,
    midpoint: float = 0.1,
    long_text: LongText = "window",
    max_tokens: int | None = None,
    stride_tokens: int = 0,
    batch_tokens: int | None = None,
    temperature: float | None = None,
) -> Model[Asked, list[Classification]]:
    """A thinc model from texts and Topics to classifications.

    A label's vector is the mean of those of its hypothesis and of its examples. The logit of a label is
    `scale * (cosine - midpoint)`, of the cosine between its vector and the text's.

    name, revision, offline: an encoder (see mmpipe.models.reference.Reference).
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    pooling: see mmpipe.models.embedding.Pooling. prefix: begins all that is read, as some encoders want it
        ("query: " for E5).
    scale: above 0; what encoders of this kind were trained with (20 in sentence-transformers).
    midpoint: the cosine, -1 to 1, at which a label that is weighed on its own has a score of 0.5.
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; see embed_readings for how the
        windows of a text become one vector.
    batch_tokens: tokens in a forward pass; None: as suits the device.
    temperature: see mmpipe.models.classifier.SequenceClassifier.
    """
    for what, value in (("scale", scale), ("temperature", 1.0 if temperature is None else temperature)):
        if not value > 0:
            raise ModelError(f"{what} must be above 0, got {value}", next_step="leave it out for the usual one")
    return transformer_model(
        "mmpipe_classify.Embeddings.v1",
        _Forward(),
        auto_class="AutoModel",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        is_trainable=False,
        takes_topics=True,
        takes_examples=True,
        pooling=pooling,
        prefix=prefix,
        scale=scale,
        midpoint=midpoint,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
        temperature=temperature,
    )


class _Forward:
    """Remembers the vectors of the labels that it was last asked about."""

    def __init__(self) -> None:
        self._known: tuple[Any, np.ndarray] | None = None

    def __call__(self, model: Model, asked: Asked, is_train: bool) -> tuple[list[Classification], Callable]:
        (texts, topics), attrs = asked, model.attrs
        prototypes = self._prototypes(model, topics)
        readings, vectors = embed(model, texts, long_text=attrs["long_text"])
        outputs = []
        for reading, vector in zip(readings, vectors, strict=True):
            if not reading.windows:
                outputs.append(Classification(None, None, reading.coverage))
                continue
            # One text at a time: a product of many rows would round otherwise.
            logits = (attrs["scale"] * (prototypes @ vector - attrs["midpoint"])).astype(np.float32)
            shares = probabilities(logits, topics.is_multi_label, attrs["temperature"] or 1.0)
            outputs.append(Classification(logits, shares, reading.coverage))
        return outputs, no_backprop

    def _prototypes(self, model: Model, topics: Topics) -> np.ndarray:
        """The vectors of the labels, each of length 1: (n_labels, width)."""
        key = (shim_of(model).checkpoint.files.fingerprint, topics)
        known = self._known
        if known is None or known[0] != key:
            said = [
                [hypothesis, *label.examples]
                for hypothesis, label in zip(topics.hypotheses, topics.labels, strict=True)
            ]
            # What is said of labels is read whole, whatever becomes of long texts.
            _, vectors = embed(model, [text for of_label in said for text in of_label], long_text="window")
            ends = list(accumulate(map(len, said)))
            means = [unit(vectors[end - len(own) : end].mean(axis=0)) for own, end in zip(said, ends, strict=True)]
            self._known = known = (key, np.stack(means))
        return known[1]


def embed(model: Model, texts: Sequence[str], *, long_text: LongText) -> tuple[list[Reading], np.ndarray]:
    """How texts were read, and their vectors, each of length 1: (n_texts, width)."""
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = read_texts(
        shim.tokenizer,
        texts,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=long_text,
        prefix=attrs["prefix"],
    )
    vectors = embed_readings(
        shim, readings, budget_tokens=shim.budget(attrs["batch_tokens"]), max_tokens=size, pooling=attrs["pooling"]
    )
    return readings, vectors
