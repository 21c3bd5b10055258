"""`mmpipe.Seq2Seq.v1`: any AutoModelForSeq2SeqLM checkpoint (BART, T5, Pegasus) over texts of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from thinc.api import Model
from torch.nn import functional

from mmpipe.models.checkpoint import TOKENIZER_LOCK
from mmpipe.models.encoded import encoded
from mmpipe.models.padding import learn_windows, map_readings
from mmpipe.models.reference import Reference
from mmpipe.models.shared_reading import shares_reading
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Reading, read_texts, window_size
from mmpipe.runtime.device import Precision

IGNORED = -100
"""The label of a place that is no word, as in Hugging Face's models."""
N_ROWS = 4
"""Rows of a text, as beams, that suit the budget of a device; where it has fewer, more texts go in."""
# In others, such as BigBird-Pegasus, what a text is padded to may decide which tokens see which.
_MIXED = frozenset({
    "bart", "blenderbot", "blenderbot-small", "m2m_100", "marian", "mbart",
    "mt5", "mvp", "pegasus", "plbart", "t5", "umt5",
})  # fmt: skip
"""Families whose padding nothing sees: texts of several lengths are written about together."""


@dataclass(frozen=True)
class Generation:
    """The text written for one input text, and the share of the input's tokens that was read, 0 to 1."""

    text: str
    coverage: float


def Seq2Seq(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    prefix: str | None = None,
    max_new_tokens: int | None = None,
    min_new_tokens: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
    repetition_penalty: float | None = None,
    early_stopping: bool | Literal["never"] | None = None,
    long_text: LongText = "window",
    max_tokens: int | None = None,
    stride_tokens: int = 0,
    batch_tokens: int | None = None,
    training: Training | None = None,
) -> Model[list[str], list[Generation]]:
    """A thinc model from texts to generated texts, the same in any batch (sampling is not offered).

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.models.transformer.transformer_model; "auto" means fp32.
    backend: see mmpipe.models.transformer.Backend; CTranslate2 converts the checkpoint once and keeps it on disk.
    prefix: put before every input; None takes the checkpoint's own for summaries (T5: "summarize: ").
    max_new_tokens ... early_stopping: as in Hugging Face's GenerationConfig; None leaves the checkpoint's own.
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; with "window" each window is
        written about on its own and the results are joined with a space.
    batch_tokens: input tokens in one call of `generate`; None: as suits the device and the number of beams.
    training: how it learns; see mmpipe.models.training.Training.
    """
    options = {
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": min_new_tokens,
        "num_beams": num_beams,
        "length_penalty": length_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "repetition_penalty": repetition_penalty,
        "early_stopping": early_stopping,
    }
    return transformer_model(
        "mmpipe.Seq2Seq.v1",
        forward,
        auto_class="AutoModelForSeq2SeqLM",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        is_generative=True,
        training=training,
        prefix=prefix,
        generation={key: value for key, value in options.items() if value is not None},
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
    )


def forward(model: Model, texts: list[str], is_train: bool) -> tuple[list[Generation], Callable]:
    shim, attrs = shim_of(model), model.attrs
    readings, size = _read(model, texts, attrs["long_text"])
    is_mixed = shim.config.model_type in _MIXED

    def run(inputs: dict[str, Any]) -> list[str]:
        inputs.pop("token_type_ids", None)
        if is_mixed and shim.is_torch:
            inputs["encoder_outputs"] = encoded(shim.module.get_encoder(), **inputs, budget_tokens=shim.budget(None))
        ids = shim.module.generate(**inputs, do_sample=False, **attrs["generation"])
        with TOKENIZER_LOCK:
            return [text.strip() for text in shim.tokenizer.batch_decode(ids.cpu(), skip_special_tokens=True)]

    rows = map_readings(
        run,
        readings,
        shim,
        budget_tokens=_budget(model),
        max_tokens=size,
        what=["written", attrs["generation"]],
        is_mixed=is_mixed,
    )
    texts = (" ".join(part for part in parts if part) for parts in rows)
    return [Generation(text, reading.coverage) for text, reading in zip(texts, readings, strict=True)], no_backprop


def _budget(model: Model) -> int:
    """Of a batch, in tokens: on a processor, which reads all weights for each word, as many rows as four beams have;
    twice as many where beams share what they read.
    """
    shim, attrs = shim_of(model), model.attrs
    if attrs["batch_tokens"] is not None or shim.placement.device.type != "cpu":
        return shim.budget(attrs["batch_tokens"])
    n_beams = attrs["generation"].get("num_beams") or shim.module.generation_config.num_beams or 1
    n_shared = 2 if shim.is_torch and shares_reading(shim.module) else 1
    return shim.budget(None) * max(N_ROWS // n_beams, n_shared)


def loss(model: Model, texts: Sequence[str], targets: Sequence[str]) -> torch.Tensor:
    """The mean cross-entropy of the words of the targets, each given those before it (teacher forcing).

    A text longer than the model is cut to its beginning: its target is about the whole, not about each window.
    Texts and targets without a token teach nothing.
    """
    shim = shim_of(model)
    readings, size = _read(model, list(texts), "truncate")
    with TOKENIZER_LOCK:
        encoded = shim.tokenizer(text_target=list(targets), truncation=True, max_length=size)["input_ids"]
    rows = [
        (reading.windows[0], ids) for reading, ids in zip(readings, encoded, strict=True) if reading.windows and ids
    ]
    length = max((len(ids) for _, ids in rows), default=0)
    labels = torch.tensor([ids + [IGNORED] * (length - len(ids)) for _, ids in rows], device=shim.placement.device)

    def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        inputs.pop("token_type_ids", None)
        return module(**inputs, labels=labels).logits.float()

    with shim.training() as module:
        if not rows:
            return sum(parameter.sum() for parameter in module.parameters()) * 0.0  # type: ignore[return-value]
        logits = learn_windows(run, [window for window, _ in rows], shim)
    smoothing = shim.training_options.get("label_smoothing", 0.0)
    return functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
    )


def _read(model: Model, texts: list[str], long_text: LongText) -> tuple[list[Reading], int]:
    """The windows of each text, and the most tokens that one may have."""
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = read_texts(
        shim.tokenizer,
        texts,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=long_text,
        prefix=_prefix(shim.config) if attrs["prefix"] is None else attrs["prefix"],
    )
    return readings, size


def _prefix(config: Any) -> str:
    tasks = getattr(config, "task_specific_params", None) or {}
    return tasks.get("summarization", {}).get("prefix", "") or getattr(config, "prefix", None) or ""
