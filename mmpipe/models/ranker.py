"""`mmpipe.SentenceRanker.v1`: how much each sentence of a document belongs in its summary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from thinc.api import Model
from torch.nn import functional

from mmpipe.errors import ModelError
from mmpipe.models.embedding import embed_readings, pool
from mmpipe.models.heads import SENTENCE_HEAD
from mmpipe.models.padding import learn_windows, mean_rows
from mmpipe.models.reference import Reference
from mmpipe.models.sentence_head import SentenceHead, centrality_scores
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, TransformerShim, no_backprop, shim_of, transformer_model
from mmpipe.models.windows import LongText, Reading, read_texts, window_size
from mmpipe.runtime.device import Precision

Scorer = Literal["auto", "head", "centrality"]


@dataclass(frozen=True)
class Ranking:
    """The sentences of one document, scored.

    scores: float32, shape (n_sents,); higher means more central. Comparable within the document only.
    embeddings: float32, shape (n_sents, width), each row of length 1 (a blank sentence: all zeros).
    n_pieces: tokens of each sentence, shape (n_sents,).
    coverage: share of the document's tokens that was read, 0 to 1.
    """

    scores: np.ndarray
    embeddings: np.ndarray
    n_pieces: np.ndarray
    coverage: float


def SentenceRanker(
    name: str,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    scorer: Scorer = "auto",
    lead_weight: float = 0.0,
    long_text: LongText = "window",
    max_tokens: int | None = None,
    stride_tokens: int = 0,
    batch_tokens: int | None = None,
    training: Training | None = None,
) -> Model[list[list[str]], list[Ranking]]:
    """A thinc model from documents, each a list of its sentences, to rankings.

    name: an encoder, as a mmpipe.models.reference.Reference names it; its token vectors are averaged and normalised
        to length 1, as sentence-transformers does.
    revision, offline: see mmpipe.models.reference.Reference.
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    scorer: "head" (trained, comes with the model), "centrality" (needs no training), or "auto": the head where
        the model has one.
    lead_weight: weight of a prior for early sentences that is added to "centrality", and that a new head which is
        trained here gets beside what it learns.
    long_text, max_tokens, stride_tokens: for single sentences longer than the encoder; see read_texts.
    batch_tokens: tokens in a forward pass; None: as suits the device.
    training: how it learns; see mmpipe.models.training.Training. Only the head learns, unless `frozen` says what
        stays as it is: `frozen = []` trains the encoder, too. "centrality" has nothing to learn.
    """
    return transformer_model(
        "mmpipe.SentenceRanker.v1",
        forward,
        auto_class="AutoModel",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        training=training,
        prepare=functools.partial(_add_head, lead_weight=lead_weight),
        is_trainable=scorer != "centrality",
        scorer=scorer,
        lead_weight=lead_weight,
        long_text=long_text,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
    )


def forward(model: Model, documents: list[list[str]], is_train: bool) -> tuple[list[Ranking], Callable]:
    shim, attrs = shim_of(model), model.attrs
    readings, size = _read(model, documents)
    vectors = embed_readings(shim, readings, budget_tokens=shim.budget(attrs["batch_tokens"]), max_tokens=size)
    head = _head(shim, attrs["scorer"])
    rankings, start = [], 0
    for sentences in documents:
        end = start + len(sentences)
        rankings.append(_rank(vectors[start:end], readings[start:end], head, attrs["lead_weight"]))
        start = end
    return rankings, no_backprop


def loss(model: Model, documents: Sequence[Sequence[str]], targets: Sequence[np.ndarray]) -> torch.Tensor:
    """The mean listwise loss: cross-entropy between targets and softmax of the head's scores over each document
    (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach").

    targets: of each document, what share of the summary each sentence should have, shape (n_sents,), sum 1.
    """
    shim = shim_of(model)
    readings, _ = _read(model, documents)
    windows = [window for reading in readings for window in reading.windows]
    with shim.training() as module:
        head = getattr(module, SENTENCE_HEAD)
        others = [p for name, p in module.named_parameters() if not name.startswith(f"{SENTENCE_HEAD}.")]
        is_encoder_frozen = not any(parameter.requires_grad for parameter in others)
        if is_encoder_frozen:
            module.eval()
            head.train()
        with torch.set_grad_enabled(not is_encoder_frozen):
            rows = learn_windows(lambda inputs: pool(module, inputs), windows, shim)
        total, start = rows.new_zeros(()), 0
        with torch.autocast(rows.device.type, enabled=False):
            vectors = functional.normalize(mean_rows(readings, rows), dim=-1)
            for sentences, target in zip(documents, targets, strict=True):
                part = slice(start, start + len(sentences))
                lengths = torch.tensor([reading.n_pieces for reading in readings[part]], device=vectors.device)
                scores = head(vectors[part], torch.arange(len(sentences), device=vectors.device), lengths)
                wanted = torch.as_tensor(target, dtype=scores.dtype, device=scores.device)
                total = total - (wanted * torch.log_softmax(scores, dim=0)).sum()
                start = part.stop
    return total / len(documents)


def _read(model: Model, documents: Sequence[Sequence[str]]) -> tuple[list[Reading], int]:
    """The windows of each sentence of all documents, and the most tokens that one may have."""
    shim, attrs = shim_of(model), model.attrs
    size = window_size(shim.config, shim.tokenizer, attrs["max_tokens"])
    readings = read_texts(
        shim.tokenizer,
        [sentence for sentences in documents for sentence in sentences],
        max_tokens=size,
        stride_tokens=attrs["stride_tokens"],
        long_text=attrs["long_text"],
    )
    return readings, size


def _add_head(shim: TransformerShim, module: torch.nn.Module, lead_weight: float = 0.0) -> None:
    """Put the head beside the encoder where it can learn: the checkpoint's own, or a new one."""
    folder = shim.checkpoint.files.folder
    has_one = (folder / "head.safetensors").exists()
    head = SentenceHead.from_folder(folder) if has_one else SentenceHead(shim.config.hidden_size, lead=lead_weight)
    if "frozen" not in shim.training_options:
        module.requires_grad_(False)
    setattr(module, SENTENCE_HEAD, head.to(shim.placement.device))


def _rank(vectors: np.ndarray, readings: list[Reading], head: SentenceHead | None, lead_weight: float) -> Ranking:
    n_pieces = np.array([reading.n_pieces for reading in readings], dtype=np.int64)
    if head is None:
        scores = centrality_scores(vectors, lead=lead_weight)
    else:
        with torch.inference_mode():
            device = next(head.parameters()).device
            positions = torch.arange(len(readings), device=device)
            inputs = (torch.from_numpy(vectors).to(device), positions, torch.from_numpy(n_pieces).to(device))
            scores = head(*inputs).cpu().numpy()
    total = int(n_pieces.sum())
    seen = sum(reading.coverage * reading.n_pieces for reading in readings)
    return Ranking(scores, vectors, n_pieces, seen / total if total else 1.0)


def _head(shim: TransformerShim, scorer: Scorer) -> SentenceHead | None:
    """The trained head beside the encoder, kept on the shim. Raises ModelError if it is asked for and not there."""
    if shim.trainer is not None:
        return getattr(shim.module, SENTENCE_HEAD)
    folder = shim.checkpoint.files.folder
    if scorer == "centrality" or (scorer == "auto" and not (folder / "head.safetensors").exists()):
        return None
    if getattr(shim, "head_folder", None) != folder:
        try:
            shim.head, shim.head_folder = SentenceHead.from_folder(folder), folder  # type: ignore[attr-defined]
        except Exception as error:  # safetensors raises a kind of its own
            raise ModelError(
                f"model {shim.checkpoint.reference.name!r} has no usable sentence head: {error}",
                where=str(folder),
                next_step='set scorer = "centrality"',
            ) from None
    if shim.head.config["width"] != shim.config.hidden_size:  # type: ignore[attr-defined]
        raise ModelError(
            f"the sentence head of {shim.checkpoint.reference.name!r} is for vectors of another width",
            where=str(folder),
            next_step='set scorer = "centrality"',
        )
    return shim.head  # type: ignore[attr-defined]
