"""`mmpipe.SequenceClassifier.v1`: any AutoModelForSequenceClassification checkpoint over texts of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from thinc.api import Model
from torch.nn import functional

from mmpipe.errors import ModelError
from mmpipe.models.padding import call, learn_windows, map_readings, mean_row, mean_rows
from mmpipe.models.reference import Reference
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Reading, read_texts, window_size
from mmpipe.runtime.device import Precision


@dataclass(frozen=True)
class Classification:
    """What the classifier says of one text.

    logits, probabilities: float32, shape (n_labels,), in the order of `labels(model)`. Probabilities are a
        softmax of the logits over the temperature, or a sigmoid each where the checkpoint is multi-label or has one
        label; of a regression checkpoint, the values themselves. None where the text has no tokens.
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
    batch_tokens: int | None = None,
    temperature: float | None = None,
    training: Training | None = None,
) -> Model[list[str], list[Classification]]:
    """A thinc model from texts to classifications.

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; the logits of a text's windows
        are averaged, each weighted with the tokens that it was the first to read.
    batch_tokens: tokens in a forward pass; None: as suits the device.
    temperature: above 0; logits are divided by it before they become probabilities (Guo et al. 2017, "On
        Calibration of Modern Neural Networks"). None: the one that the component was saved with, else 1.0.
    training: how it learns; see mmpipe.models.training.Training.
    """
    if temperature is not None and not temperature > 0:
        raise ModelError(f"temperature must be above 0, got {temperature}", next_step="leave it out, or set 1.0")
    return transformer_model(
        "mmpipe.SequenceClassifier.v1",
        forward,
        auto_class="AutoModelForSequenceClassification",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        training=training,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
        temperature=temperature,
    )


def labels(model: Model) -> list[str]:
    """The label names, in the order of the logits, as the checkpoint's config has them."""
    config = shim_of(model).config
    return [str(config.id2label.get(index, config.id2label.get(str(index)))) for index in range(config.num_labels)]


def forward(model: Model, texts: list[str], is_train: bool) -> tuple[list[Classification], Callable]:
    shim, attrs = shim_of(model), model.attrs
    readings, size = _read(model, texts)

    def run(inputs: dict[str, Any]) -> np.ndarray:
        return call(shim.module, inputs).logits.float().cpu().numpy()

    rows = map_readings(
        run, readings, shim, budget_tokens=shim.budget(attrs["batch_tokens"]), max_tokens=size, what="logits"
    )
    outputs = []
    for reading, of_reading in zip(readings, rows, strict=True):
        if not of_reading:
            outputs.append(Classification(None, None, reading.coverage))
            continue
        logits = mean_row(reading, of_reading).astype(np.float32)
        is_value = shim.config.problem_type == "regression"
        shares = logits if is_value else probabilities(logits, is_multi_label(model), attrs["temperature"] or 1.0)
        outputs.append(Classification(logits, shares, reading.coverage))
    return outputs, no_backprop


def is_multi_label(model: Model) -> bool:
    """Whether the checkpoint gives each label a probability of its own: it is multi-label, or has one label."""
    config = shim_of(model).config
    return config.problem_type == "multi_label_classification" or config.num_labels == 1


def set_labels(model: Model, wanted: Sequence[str], *, is_multi_label: bool | None = None) -> None:
    """Make the model learn these labels. A checkpoint that has them all keeps its head and its own order.

    is_multi_label: whether a text may have several of them, or none; None is what the checkpoint says. One whose
        head is of the other kind gets a new one.
    """
    config = shim_of(model).config
    was_multi_label = config.problem_type == "multi_label_classification"
    is_other = is_multi_label is not None and is_multi_label != was_multi_label
    if is_other or not set(wanted) <= set(labels(model)):
        shim_of(model).checkpoint.relabel(wanted, is_multi_label=is_multi_label)


def loss(model: Model, texts: Sequence[str], targets: np.ndarray) -> torch.Tensor:
    """The mean loss over texts: cross-entropy with soft targets, or what the checkpoint's `problem_type` says
    (binary cross-entropy of each label where it is multi-label or has one; squared error for a regression).

    targets: probabilities (values, for a regression), shape (n_texts, n_labels), in the order of `labels(model)`.
    A text with no tokens teaches nothing.
    """
    shim = shim_of(model)
    readings, _ = _read(model, list(texts))
    legible = [index for index, reading in enumerate(readings) if reading.windows]
    readings = [readings[index] for index in legible]
    with shim.training() as module:
        if not readings:
            return sum(parameter.sum() for parameter in module.parameters()) * 0.0
        windows = [window for reading in readings for window in reading.windows]
        rows = learn_windows(lambda inputs: call(module, inputs).logits.float(), windows, shim)
    logits = mean_rows(readings, rows)
    wanted = torch.as_tensor(np.asarray(targets)[legible], dtype=logits.dtype, device=logits.device)
    smoothing = shim.training_options.get("label_smoothing", 0.0)
    if shim.config.problem_type == "regression":
        return functional.mse_loss(logits, wanted)
    if is_multi_label(model):
        return functional.binary_cross_entropy_with_logits(logits, wanted * (1 - smoothing) + smoothing / 2)
    return functional.cross_entropy(logits, wanted, label_smoothing=smoothing)


def _read(model: Model, texts: list[str]) -> tuple[list[Reading], int]:
    """The windows of each text, and the most tokens that one may have."""
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = read_texts(
        shim.tokenizer,
        texts,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=attrs["long_text"],
    )
    return readings, size


def probabilities(logits: np.ndarray, is_multi_label: bool, temperature: float = 1.0) -> np.ndarray:
    """Logits of the labels of one text as probabilities, shape (n_labels,): a softmax, or a sigmoid of each.

    temperature: above 0; logits are divided by it.
    """
    logits = logits / np.float32(temperature)
    if is_multi_label:
        return np.exp(-np.logaddexp(0, -logits))
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
