"""`mmpipe.Seq2Seq.v1`: any AutoModelForSeq2SeqLM checkpoint (BART, T5, Pegasus) over texts of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from thinc.api import Model

from mmpipe.models.checkpoint import TOKENIZER_LOCK
from mmpipe.models.padding import map_windows
from mmpipe.models.reference import Reference
from mmpipe.models.transformer import Backend, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, read_texts, window_size
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
    readings = read_texts(
        shim.tokenizer,
        texts,
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=attrs["long_text"],
        prefix=_prefix(shim.config) if attrs["prefix"] is None else attrs["prefix"],
    )
    windows = [window for reading in readings for window in reading.windows]

    def run(inputs: dict[str, Any]) -> list[str]:
        inputs.pop("token_type_ids", None)
        ids = shim.module.generate(**inputs, do_sample=False, **attrs["generation"])
        with TOKENIZER_LOCK:
            return [text.strip() for text in shim.tokenizer.batch_decode(ids.cpu(), skip_special_tokens=True)]

    rows = iter(map_windows(run, windows, shim, budget_tokens=attrs["batch_tokens"], max_tokens=size))
    outputs = []
    for reading in readings:
        parts = [next(rows) for _ in reading.windows]
        outputs.append(Generation(" ".join(part for part in parts if part), reading.coverage))
    return outputs, no_backprop


def _prefix(config: Any) -> str:
    tasks = getattr(config, "task_specific_params", None) or {}
    return tasks.get("summarization", {}).get("prefix", "") or getattr(config, "prefix", None) or ""
