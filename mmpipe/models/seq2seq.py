"""`mmpipe.Seq2Seq.v1`: any AutoModelForSeq2SeqLM checkpoint (BART, T5, Pegasus) over texts of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from thinc.api import Model

from mmpipe.models.checkpoint import TOKENIZER_LOCK
from mmpipe.models.reference import Reference
from mmpipe.models.transformer import Backend, TransformerShim, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Reading, Window, collate, read_texts, window_size
from mmpipe.runtime.batching import map_batches
from mmpipe.runtime.device import Precision


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
    batch_tokens: int = 2048,
) -> Model[list[str], list[Generation]]:
    """A thinc model from texts to generated texts, the same in any batch (sampling is not offered).

    name, revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.runtime.device.place; "auto" means fp32. backend: "auto" or "torch".
    prefix: put before every input; None takes the checkpoint's own for summaries (T5: "summarize: ").
    max_new_tokens ... early_stopping: as in Hugging Face's GenerationConfig; None leaves the checkpoint's own.
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; with "window" each window is
        written about on its own and the results are joined with a space.
    batch_tokens: padded input tokens in one call of `generate`.
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
        prefix=prefix,
        generation={key: value for key, value in options.items() if value is not None},
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
    )


def forward(model: Model, texts: list[str], is_train: bool) -> tuple[list[Generation], Callable]:
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = _read(shim, texts, size, attrs)
    windows = [window for reading in readings for window in reading.windows]

    def run(batch: list[Window], length: int) -> list[str]:
        inputs = collate(batch, length, shim.tokenizer, shim.placement.device)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            ids = shim.module.generate(**inputs, do_sample=False, **attrs["generation"])
        with TOKENIZER_LOCK:
            return [text.strip() for text in shim.tokenizer.batch_decode(ids.cpu(), skip_special_tokens=True)]

    rows = iter(
        map_batches(run, windows, [len(w) for w in windows], budget_tokens=attrs["batch_tokens"], max_tokens=size)
    )
    outputs = []
    for reading in readings:
        parts = [next(rows) for _ in reading.windows]
        outputs.append(Generation(" ".join(part for part in parts if part), reading.coverage))
    return outputs, no_backprop


def _read(shim: TransformerShim, texts: Sequence[str], size: int, attrs: Any) -> list[Reading]:
    """Windows that all begin with the prefix, although only the first window of a text holds its beginning."""
    prefix = _prefix(shim.config) if attrs["prefix"] is None else attrs["prefix"]
    settings = {"stride_tokens": attrs["stride_tokens"], "long_text": attrs["long_text"]}
    if not prefix:
        return read_texts(shim.tokenizer, texts, max_tokens=size, **settings)
    with TOKENIZER_LOCK:
        head = shim.tokenizer(prefix, add_special_tokens=False)["input_ids"]
    readings = []
    bare = read_texts(shim.tokenizer, texts, max_tokens=max(size - len(head), size // 2), **settings)
    whole = read_texts(
        shim.tokenizer, [prefix + t for t in texts], max_tokens=size, stride_tokens=0, long_text="window"
    )
    for reading, joined in zip(bare, whole, strict=True):
        if len(reading.windows) == 1 and len(joined.windows) == 1:
            # Tokenized together, as Hugging Face does: pieces may merge across the seam.
            readings.append(Reading(joined.windows, reading.n_pieces, reading.coverage))
            continue
        start = _n_leading_special(shim.tokenizer)
        readings.append(
            Reading(
                tuple(_with_head(window, head, start) for window in reading.windows),
                reading.n_pieces,
                reading.coverage,
            )
        )
    return readings


def _with_head(window: Window, head: list[int], start: int) -> Window:
    """The window with the prefix's ids after its leading special tokens."""
    inputs = {
        name: [*row[:start], *(head if name == "input_ids" else [0] * len(head)), *row[start:]]
        for name, row in window.inputs.items()
    }
    return Window(inputs, window.n_new_pieces)


def _n_leading_special(tokenizer: Any) -> int:
    with TOKENIZER_LOCK:
        mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    return mask.index(0) if 0 in mask else 0


def _prefix(config: Any) -> str:
    tasks = getattr(config, "task_specific_params", None) or {}
    return tasks.get("summarization", {}).get("prefix", "") or getattr(config, "prefix", None) or ""
