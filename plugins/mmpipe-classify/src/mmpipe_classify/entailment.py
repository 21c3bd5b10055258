"""`mmpipe_classify.Entailment.v1`: labels by whether a text entails what is said of each.

Yin et al. 2019, "Benchmarking Zero-shot Text Classification: Datasets, Evaluation and Entailment Approach".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from thinc.api import Model

from mmpipe import ModelError
from mmpipe.models.checkpoint import TOKENIZER_LOCK
from mmpipe.models.classifier import Classification, probabilities
from mmpipe.models.padding import call, map_readings, mean_row
from mmpipe.models.pairs import read_pairs
from mmpipe.models.reference import Reference
from mmpipe.models.span_extractor import groups
from mmpipe.models.transformer import Backend, Precision, TransformerShim, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, window_size
from mmpipe_classify.topics import Topics

Asked = tuple[list[str], Topics]


def Entailment(
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
) -> Model[Asked, list[Classification]]:
    """A thinc model from texts and Topics to classifications.

    The text is the premise, and the hypothesis of each label is put to it. Labels that are weighed against each other
    share a softmax over their entailment logits; one that is weighed on its own has a softmax of entailment and
    contradiction: the scores of Hugging Face's `zero-shot-classification` pipeline.

    name, revision, offline: an AutoModelForSequenceClassification checkpoint of natural language inference, one of
        whose labels begins with "entail" (see mmpipe.models.reference.Reference).
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    long_text, max_tokens, stride_tokens: see mmpipe.models.windows.read_texts; a window holds the hypothesis, too.
        The logits of a text's windows are averaged, each weighted with the tokens that it was the first to read.
    batch_tokens: tokens in a forward pass, which takes pairs of any texts and labels; None: as suits the device.
    temperature: see mmpipe.models.classifier.SequenceClassifier.
    """
    if temperature is not None and not temperature > 0:
        raise ModelError(f"temperature must be above 0, got {temperature}", next_step="leave it out, or set 1.0")
    return transformer_model(
        "mmpipe_classify.Entailment.v1",
        forward,
        auto_class="AutoModelForSequenceClassification",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        is_trainable=False,
        takes_topics=True,
        takes_examples=False,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
        temperature=temperature,
    )


def forward(model: Model, asked: Asked, is_train: bool) -> tuple[list[Classification], Callable]:
    (texts, topics), shim, attrs = asked, shim_of(model), model.attrs
    chosen = list(contradiction_and_entailment(shim))
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"], is_pair=True)
    hypotheses = topics.hypotheses
    _check_room(shim, hypotheses, size)

    def run(inputs: dict[str, Any]) -> np.ndarray:
        return call(shim.module, inputs).logits[:, chosen].float().cpu().numpy()

    found: list[tuple[np.ndarray | None, float]] = []
    for group in groups([(hypothesis, text) for text in texts for hypothesis in hypotheses]):
        readings = read_pairs(
            shim.tokenizer,
            group,
            max_tokens=size,
            stride_tokens=attrs["stride_tokens"],
            long_text=attrs["long_text"],
            is_context_first=True,
        )
        rows = map_readings(
            run, readings, shim, budget_tokens=shim.budget(attrs["batch_tokens"]), max_tokens=size, what="logits"
        )
        for reading, of_reading in zip(readings, rows, strict=True):
            found.append((mean_row(reading, of_reading) if of_reading else None, reading.coverage))
    parts = [found[start : start + len(hypotheses)] for start in range(0, len(found), len(hypotheses))]
    return [_classification(part, topics, attrs["temperature"] or 1.0) for part in parts], no_backprop


def contradiction_and_entailment(shim: TransformerShim) -> tuple[int, int]:
    """The indices of the two logits.

    Where no label begins with "contra" (as in checkpoints that know only "not_entailment"), the first stands for it,
    or the last where the first is entailment, as in Hugging Face's pipeline. Raises ModelError for no entailment.
    """
    config = shim.config
    names = {int(index): str(label).lower() for index, label in config.id2label.items()}
    names |= {int(index): str(label).lower() for label, index in config.label2id.items() if index in names}
    entailing = [index for index, label in sorted(names.items()) if label.startswith("entail")]
    if not entailing or len(names) < 2:
        raise ModelError(
            f"the checkpoint {shim.checkpoint.reference.name!r} does no natural language inference: its labels are "
            f"{', '.join(repr(label) for _, label in sorted(names.items()))}",
            where="config.json",
            next_step="name one that does (one label begins with 'entail'), mend its label2id, or use "
            "mmpipe_classify.Embeddings.v1, which takes any encoder",
        )
    contrary = [index for index, label in sorted(names.items()) if label.startswith("contra")]
    usual = max(names) if entailing[0] == 0 else 0
    return (contrary[0] if contrary else usual), entailing[0]


def _check_room(shim: TransformerShim, hypotheses: list[str], size: int) -> None:
    """Raises ModelError for a hypothesis that leaves a window no room for text: no text is to blame."""
    with TOKENIZER_LOCK:
        encoded = shim.tokenizer(hypotheses, add_special_tokens=False, return_attention_mask=False, verbose=False)
    n_special = shim.tokenizer.num_special_tokens_to_add(pair=True)
    for hypothesis, ids in zip(hypotheses, encoded["input_ids"], strict=True):
        if len(ids) + n_special >= size:
            raise ModelError(
                f"the hypothesis {hypothesis!r:.80} has {len(ids)} tokens and {n_special} special ones, and leaves no "
                f"room for text in {size}",
                next_step="describe the label in fewer words, or raise max_tokens where the model allows it",
            )


def _classification(
    of_labels: list[tuple[np.ndarray | None, float]], topics: Topics, temperature: float
) -> Classification:
    """Of one text. A share of it that only some labels' windows held was not read."""
    coverage = min(coverage for _, coverage in of_labels)
    rows = [row for row, _ in of_labels if row is not None]
    if not rows:
        return Classification(None, None, coverage)
    contradiction, entailment = np.stack(rows).astype(np.float32).T
    logits = entailment - contradiction if topics.is_multi_label else entailment
    return Classification(logits, probabilities(logits, topics.is_multi_label, temperature), coverage)
