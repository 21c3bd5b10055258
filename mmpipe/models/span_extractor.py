"""`mmpipe.SpanExtractor.v1`: any AutoModelForQuestionAnswering checkpoint over contexts of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from thinc.api import Model

from mmpipe.errors import ModelError, RecordError
from mmpipe.models.answer import SpanLogits, WindowLogits
from mmpipe.models.padding import call, learn_windows, map_readings
from mmpipe.models.pairs import PairReading, read_pairs
from mmpipe.models.reference import Reference
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Window, window_size
from mmpipe.runtime.device import Precision

USUAL_MAX_TOKENS = 384
"""What extractors are trained to read at once, though their tables often hold more."""

_GROUP_CHARS = 1_000_000


def SpanExtractor(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    long_text: LongText = "window",
    max_tokens: int | None = None,
    stride_tokens: int = 128,
    batch_tokens: int | None = None,
    training: Training | None = None,
) -> Model[list[tuple[str, str]], list[SpanLogits]]:
    """A thinc model from (question, context) pairs to logits, for `mmpipe.models.answer.find_answers`.

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    long_text, stride_tokens: see mmpipe.models.windows.read_texts.
    max_tokens: tokens in a window, the question and special ones included; None is 384, or the model's limit where
        that is less.
    batch_tokens: tokens in a forward pass, which takes windows of any questions and contexts; None: as suits
        the device.
    training: how it learns; see mmpipe.models.training.Training.
    """
    return transformer_model(
        "mmpipe.SpanExtractor.v1",
        forward,
        auto_class="AutoModelForQuestionAnswering",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        training=training,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
    )


def no_answer_threshold(model: Model) -> float | None:
    """The `no_answer_threshold` (0 to 1) in the checkpoint's config.json; None where it has none."""
    value = getattr(shim_of(model).config, "no_answer_threshold", None)
    if value is not None and not (isinstance(value, float | int) and 0 <= value <= 1):
        raise ModelError(
            f"the checkpoint's no_answer_threshold is {value!r}, not a number from 0 to 1",
            where="config.json",
            next_step="set no_answer_threshold of the component instead",
        )
    return value


def forward(model: Model, pairs: list[tuple[str, str]], is_train: bool) -> tuple[list[SpanLogits], Callable]:
    shim, attrs = shim_of(model), model.attrs

    def run(inputs: dict[str, Any]) -> np.ndarray:
        output = call(shim.module, inputs)
        return torch.stack((output.start_logits, output.end_logits), 1).float().cpu().numpy()

    outputs = []
    for group in groups(pairs):
        readings, size = _read(model, group)
        rows = map_readings(
            run, readings, shim, budget_tokens=shim.budget(attrs["batch_tokens"]), max_tokens=size, what="start and end"
        )
        for (_, context), reading, of_reading in zip(group, readings, rows, strict=True):
            windows = [_logits(reading, *both) for both in zip(reading.windows, of_reading, strict=True)]
            outputs.append(SpanLogits(context, reading.pieces, tuple(windows), reading.coverage))
    return outputs, no_backprop


Span = tuple[int, int]


def loss(
    model: Model,
    questions: Sequence[str],
    contexts: Sequence[str],
    spans: Sequence[Sequence[Span]],
    *,
    elsewhere: float = 0.1,
) -> torch.Tensor:
    """Mean loss of first and last piece over one window a question, a scalar with gradient.

    It is half the negative log of what the model gives to all right answers of the window together, the probability of
    an answer being that of its first piece times that of its last (Clark & Gardner 2018, "Simple and Effective
    Multi-Paragraph Reading Comprehension"); with one answer, the mean of both cross-entropies.

    spans: a question's right answers, each its first and last-plus-one character in the context; none for a question
        without an answer. That, and a window without one, is the checkpoint's "no answer" token (Devlin et al. 2019,
        "BERT").
    elsewhere: how often (0 to 1) an answered question sees any window of a long context instead of one that holds
        an answer. Windows are drawn with torch's random numbers.
    Raises RecordError for a span that is not in its context; ModelError where nothing can stand for "no answer".
    """
    shim = shim_of(model)
    readings, _ = _read(model, list(zip(questions, contexts, strict=True)))
    chosen = [_choose(*both, elsewhere) for both in zip(readings, spans, strict=True) if both[0].windows]
    places = iter([right for _, right in chosen])
    smoothing = shim.training_options.get("label_smoothing", 0.0)
    with shim.training() as module:
        if not chosen:
            return sum(parameter.sum() for parameter in module.parameters()) * 0.0

        def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            output, is_read = call(module, inputs), inputs["attention_mask"] > 0
            starts, ends = (logits.float() for logits in (output.start_logits, output.end_logits))
            return _negative_log(starts, ends, list(islice(places, len(is_read))), is_read, smoothing)

        return learn_windows(run, [window for window, _ in chosen], shim).mean()


def _negative_log(
    starts: torch.Tensor, ends: torch.Tensor, right: list[list[Span]], is_read: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """Shape (n_rows,), over what is no padding, with a share of each target spread over all of that.

    right: of each row, the places where a right answer begins and ends.
    """
    log_starts, log_ends = (logits.masked_fill(~is_read, -torch.inf).log_softmax(-1) for logits in (starts, ends))
    exact = [
        -torch.logsumexp(row_starts[[first for first, _ in spans]] + row_ends[[last for _, last in spans]], 0) / 2
        for row_starts, row_ends, spans in zip(log_starts, log_ends, right, strict=True)
    ]
    both = (log_starts + log_ends).masked_fill(~is_read, 0.0).sum(1)
    return (1 - smoothing) * torch.stack(exact) - smoothing * both / is_read.sum(1) / 2


def _read(model: Model, pairs: list[tuple[str, str]]) -> tuple[list[PairReading], int]:
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"], is_pair=True)
    size = min(size, USUAL_MAX_TOKENS) if attrs["max_tokens"] is None else size
    readings = read_pairs(
        shim.tokenizer,
        pairs,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=attrs["long_text"],
    )
    return readings, size


def groups(pairs: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Pairs in groups of a bounded number of characters, for the windows of long contexts take much memory."""
    group, n_chars = [], 0
    for pair in pairs:
        if group and n_chars + len(pair[1]) > _GROUP_CHARS:
            yield group
            group, n_chars = [], 0
        group.append(pair)
        n_chars += len(pair[1])
    if group:
        yield group


def _logits(reading: PairReading, window: Window, row: np.ndarray) -> WindowLogits:
    """row: start and end logits of the padded window, shape (2, length)."""
    (start, end), place = row[:, window.place : window.place + len(window.pieces)], _null_place(reading, window)
    nulls = (-np.inf, -np.inf) if place is None else row[:, place]
    if not (np.isfinite(start).all() and np.isfinite(end).all()) or np.isnan(nulls).any():
        raise ModelError("the checkpoint gives values that are no numbers", next_step='set precision = "fp32"')
    return WindowLogits(start.copy(), end.copy(), window.pieces.start, float(nulls[0]), float(nulls[1]))


def _null_place(reading: PairReading, window: Window) -> int | None:
    place = reading.null_place
    return place if place is None or place >= 0 else len(window) + place


def _choose(reading: PairReading, spans: Sequence[Span], elsewhere: float) -> tuple[Window, list[Span]]:
    """A window to learn from, and where in it right answers begin and end, or "no answer" stands."""
    windows, answers = reading.windows, [reading.pieces.within(*span) for span in spans]
    for span, answer in zip(spans, answers, strict=True):
        if not len(answer):
            raise RecordError(f"no text stands at the answer's characters {span}", next_step="check its offsets")
    holding = [window for window in windows if any(_holds(window, answer) for answer in answers)]
    if holding and torch.rand(()) >= elsewhere:
        windows = tuple(holding)
    window = windows[int(torch.randint(len(windows), ()))]
    shift = window.place - window.pieces.start
    right = [(answer.start + shift, answer.stop - 1 + shift) for answer in answers if _holds(window, answer)]
    place = _null_place(reading, window)
    if not right and place is None:
        raise ModelError(
            'the checkpoint has no [CLS] token that could stand for "no answer"',
            next_step="train it on questions that have an answer, or take a checkpoint with such a token",
        )
    return window, right or [(place, place)]  # type: ignore[list-item]


def _holds(window: Window, answer: range) -> bool:
    return window.pieces.start <= answer.start and answer.stop <= window.pieces.stop
