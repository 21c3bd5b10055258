"""`mmpipe.SequenceClassifier.v1`: any AutoModelForSequenceClassification checkpoint over texts of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from thinc.api import Model

from mmpipe.models.padding import map_windows
from mmpipe.models.reference import Reference
from mmpipe.models.transformer import Backend, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, read_texts, window_size
from mmpipe.runtime.device import Precision


@dataclass(frozen=True)
class Classification:
    """What the classifier says of one text.

    logits, probabilities: float32, shape (n_labels,), in the order of `labels(model)`. Probabilities are a
        softmax, or a sigmoid each where the checkpoint is multi-label or has one label; of a regression
        checkpoint, the values themselves. None where the text has no tokens.
    coverage: share of the text's tokens that was read, 0 to 1.
    """

    logits: np.ndarray | None
    probabilities: np.ndarray | None
    coverage: float


def SequenceClassifier(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    long_text: LongText = "window",
    max_tokens: int | None = None,
    stride_tokens: int = 64,
    batch_tokens: int = 2048,
) -> Model[list[str], list[Classification]]:
    """A thinc model from texts to classifications.

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.runtime.device.place. backend: "auto" or "torch".
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; the logits of a text's windows
        are averaged, each weighted with the tokens that it was the first to read.
    batch_tokens: padded tokens in a forward pass.
    """
    return transformer_model(
        "mmpipe.SequenceClassifier.v1",
        forward,
        auto_class="AutoModelForSequenceClassification",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
    )


def labels(model: Model) -> list[str]:
    """The label names, in the order of the logits, as the checkpoint's config has them."""
    config = shim_of(model).config
    return [str(config.id2label.get(index, config.id2label.get(str(index)))) for index in range(config.num_labels)]


def forward(model: Model, texts: list[str], is_train: bool) -> tuple[list[Classification], Callable]:
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = read_texts(
        shim.tokenizer,
        texts,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=attrs["long_text"],
    )
    windows = [window for reading in readings for window in reading.windows]

    def run(inputs: dict[str, Any]) -> np.ndarray:
        return shim.module(**inputs).logits.float().cpu().numpy()

    rows = iter(map_windows(run, windows, shim, budget_tokens=attrs["batch_tokens"], max_tokens=size))
    outputs = []
    for reading in readings:
        if not reading.windows:
            outputs.append(Classification(None, None, reading.coverage))
            continue
        weights = [window.n_new_pieces for window in reading.windows]
        logits = np.average([next(rows) for _ in weights], axis=0, weights=weights).astype(np.float32)
        outputs.append(Classification(logits, _probabilities(logits, shim.config), reading.coverage))
    return outputs, no_backprop


def _probabilities(logits: np.ndarray, config: Any) -> np.ndarray:
    if config.problem_type == "regression":
        return logits
    if config.problem_type == "multi_label_classification" or len(logits) == 1:
        return np.exp(-np.logaddexp(0, -logits))
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
