"""What a method that attributes an output to its input needs of a model: what it reads, and its outputs as a function.

The windows, their tokens and the module are those that predict, with two differences: all is computed in fp32 by torch,
whatever precision or backend the component predicts with, and what the embedding layer gives can be replaced. Nothing
is changed that a prediction could see: no gradient is kept in the weights, no mode is switched, and other threads may
predict meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor, nn

from mmpipe.errors import ModelError
from mmpipe.models import classifier, span_extractor
from mmpipe.models.checkpoint import TOKENIZER_LOCK, Checkpoint
from mmpipe.models.padding import call, collate, padding_id
from mmpipe.models.pairs import PairReading
from mmpipe.models.transformer import shim_of
from mmpipe.models.unpadded import is_unpadded
from mmpipe.models.windows import Window, model_max_tokens
from mmpipe.runtime.batching import map_batches
from mmpipe.runtime.device import Placement

Kind = Literal["classifier", "extractor"]
KINDS: dict[str, Kind] = {"mmpipe.SequenceClassifier.v1": "classifier", "mmpipe.SpanExtractor.v1": "extractor"}
"""The architectures that a Probe can be made of."""


@dataclass(frozen=True)
class ReadText:
    """A text, or the context of a question, as a model reads it.

    windows: with special tokens and the question; `Window.pieces` and `place` say which of their tokens are the text's.
    shares: what each window's outputs weigh in the text's, shape (n_windows,), sum 1, where they are averaged.
    starts, ends: where each piece of the text stands in it, in characters, shape (n_pieces,); read or not.
    null_places: where each window of a question holds the token that stands for "no answer"; None where none does.
    """

    windows: tuple[Window, ...]
    shares: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    null_places: tuple[int | None, ...] = ()


def can_probe(model: Any) -> bool:
    """Whether a Probe can be made of this: a thinc model of one of KINDS."""
    return isinstance(model, Model) and model.name in KINDS


class Probe:
    """A model opened for attribution. It holds an fp32 copy of the weights where the component predicts otherwise.

    kind: "classifier", whose outputs are logits of shape (n_labels,); or "extractor", with start and end logits of each
        token of the window, shape (2, length).
    Raises ModelError for a model of another architecture.
    """

    def __init__(self, model: Model) -> None:
        if not can_probe(model):
            raise ModelError(f"{model.name!r} cannot be attributed", next_step=f"use one of {', '.join(KINDS)}")
        self.model = model
        self.kind = KINDS[model.name]
        self._shim = shim_of(model)
        self._exact: tuple[Checkpoint, nn.Module] | None = None

    @property
    def name(self) -> str:
        """The model's, as its reference has it."""
        return self._shim.checkpoint.reference.name

    @property
    def batch_tokens(self) -> int:
        """Padded tokens in a forward pass, as the model's settings have it."""
        return self._shim.budget(self.model.attrs["batch_tokens"])

    @property
    def module(self) -> nn.Module:
        """The torch module in fp32 and evaluation mode; not to be changed."""
        shim = self._shim
        module = shim.module
        if shim.trainer is not None or (shim.is_torch and shim.placement.dtype == torch.float32):
            return module
        if self._exact is None or self._exact[0] is not shim.checkpoint:
            placement = Placement(shim.placement.device, "fp32", "attribution")
            self._exact = (shim.checkpoint, shim.checkpoint.module(placement))
        return self._exact[1]

    @property
    def labels(self) -> list[str]:
        """Of a classifier: the label names, in the order of the logits."""
        return classifier.labels(self.model)

    @property
    def has_exclusive_labels(self) -> bool:
        """Of a classifier: whether its probabilities are a softmax: only differences of its logits mean something."""
        config = self._shim.config
        return config.problem_type != "regression" and not classifier.is_multi_label(self.model)

    def token_id(self, kind: Literal["mask", "pad"]) -> int | None:
        """The id of the tokenizer's mask or padding token; None where it has none."""
        return getattr(self._shim.tokenizer, f"{kind}_token_id")

    def read(self, text: str, question: str | None = None) -> ReadText:
        """The text as the model reads it: windowed, truncated or refused (RecordError) as its settings say."""
        if self.kind == "extractor":
            (reading,), _ = span_extractor._read(self.model, [(question or "", text)])
            starts, ends, nulls = reading.pieces.starts, reading.pieces.ends, _null_places(reading)
        else:
            (reading,), _ = classifier._read(self.model, [text])
            (starts, ends), nulls = self._offsets(text), ()
        new = np.array([window.n_new_pieces for window in reading.windows], dtype=np.float64)
        return ReadText(reading.windows, new / max(new.sum(), 1), starts, ends, nulls)

    def outputs(self, windows: Sequence[Window], *, batch_tokens: int | None = None) -> list[np.ndarray]:
        """The outputs of windows, which may have been changed, without gradients and batched; fp32, one a window.

        batch_tokens: tokens in a forward pass; the model's own setting when None. The outputs of an extractor
        are as long as the longest window of the batch, padded.
        """
        filler, module = padding_id(self._shim.config), self.module
        limit = model_max_tokens(self._shim.config, self._shim.tokenizer)

        def run(batch: list[Window], length: int) -> np.ndarray:
            with torch.inference_mode():
                return self._of(call(module, collate(batch, length, filler or 0, self._device))).float().cpu().numpy()

        return map_batches(
            run,
            windows,
            [len(window) for window in windows],
            budget_tokens=0 if filler is None else batch_tokens or self.batch_tokens,
            max_tokens=limit,
            is_padded=filler is not None,
            is_mixed=is_unpadded(module),
        )

    def embed(self, window: Window) -> Tensor:
        """What the embedding layer gives for the window's tokens, before positions: shape (1, length, width)."""
        with torch.no_grad():
            ids = torch.tensor([window.inputs["input_ids"]], device=self._device)
            return self._layer(ids)

    def outputs_of(self, window: Window, embeddings: Tensor) -> Tensor:
        """The outputs of a window as a differentiable function of what the embedding layer gives.

        embeddings: shape (n, length, width), n variants of `embed(window)`, unpadded.
        Returns shape (n, n_labels), or (n, 2, length) of an extractor. Only gradients with respect to the embeddings
        are to be asked for (torch.autograd.grad): `backward()` would leave some in the weights, which are shared.
        Raises ModelError where the model reads its embeddings otherwise than once a pass.
        """
        inputs = collate([window], len(window), 0, self._device)
        inputs = {name: value.expand(len(embeddings), -1) for name, value in inputs.items()}
        with _giving(self._layer, embeddings) as uses:
            outputs = self._of(call(self.module, inputs))
        if uses != [embeddings.shape]:
            raise ModelError(
                f"model {self.name!r} reads its embeddings {len(uses)} times a pass",
                next_step="gradients are for encoders that read them once; take a method without them",
            )
        return outputs.float()

    @property
    def _device(self) -> torch.device:
        return self._shim.placement.device

    @property
    def _layer(self) -> nn.Module:
        return self.module.get_input_embeddings()  # type: ignore[operator]

    def _of(self, output: Any) -> Tensor:
        if self.kind == "classifier":
            return output.logits
        return torch.stack((output.start_logits, output.end_logits), 1)

    def _offsets(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Shape (2, n_pieces), in the order of a Reading's pieces."""
        with TOKENIZER_LOCK:
            encoded = self._shim.tokenizer(
                text, return_special_tokens_mask=True, return_offsets_mapping=True, verbose=False
            )
        mask = encoded["special_tokens_mask"]
        first = mask.index(0) if 0 in mask else len(mask)
        last = len(mask) - mask[::-1].index(0) if 0 in mask else len(mask)
        starts, ends = np.array(encoded["offset_mapping"][first:last], dtype=np.int64).reshape(-1, 2).T
        return starts, ends


def with_tokens(window: Window, places: Sequence[int], token_id: int | None) -> Window:
    """The window with another token at these places of its inputs; with None, without what stands there.

    `place` and `pieces` go on to describe the window as it was.
    """
    if token_id is None:
        gone = set(places)
        kept = [index for index in range(len(window)) if index not in gone]
        return replace(window, inputs={name: [ids[i] for i in kept] for name, ids in window.inputs.items()})
    ids = list(window.inputs["input_ids"])
    for place in places:
        ids[place] = token_id
    return replace(window, inputs={**window.inputs, "input_ids": ids})


def _null_places(reading: PairReading) -> tuple[int | None, ...]:
    return tuple(span_extractor._null_place(reading, window) for window in reading.windows)


@contextmanager
def _giving(layer: nn.Module, embeddings: Tensor) -> Iterator[list[Any]]:
    """Inside, and in this thread only, the layer gives these embeddings; yields the shapes that it would have given."""
    # A module is shared: another thread that predicts meanwhile meets the hook, too.
    owner, uses = threading.get_ident(), []

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != owner:
            return None
        uses.append(output.shape)
        return embeddings if output.shape == embeddings.shape else None

    handle = layer.register_forward_hook(hook)
    try:
        yield uses
    finally:
        handle.remove()
