"""`mmpipe.TokenEncoder.v1`: a Hugging Face encoder as spaCy's `tok2vec`, which any component can listen to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import torch
from pydantic import Field
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import xp2torch

from mmpipe.errors import ModelError
from mmpipe.models.padding import call, learn_windows, map_windows
from mmpipe.models.reference import Reference
from mmpipe.models.tokens import DocReading, read_docs, token_vectors
from mmpipe.models.training import Training
from mmpipe.models.transformer import Backend, TransformerShim, shim_of, transformer_model
from mmpipe.models.windows import Window, window_size
from mmpipe.runtime.device import Precision


def TokenEncoder(
    name: str,
    width: Annotated[int, Field(ge=1)],
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    offline: bool = False,
    max_tokens: int | None = None,
    stride_tokens: int = 64,
    batch_tokens: int | None = None,
    training: Training | None = None,
) -> Model[list[Doc], list[Floats2d]]:
    """A thinc model from documents to a vector for each of spaCy's tokens, float32, shape (n_tokens, width).

    A token's vector is the mean of its pieces' in the encoder's last layer; a token of white space has zeros. It is the
    model of a `tok2vec` component: whoever has a `spacy.Tok2VecListener.v1` then shares one pass of the encoder.

    name, revision, offline: see mmpipe.models.reference.Reference.
    width: of the encoder's vectors, its `hidden_size`; listeners are told the same number.
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    max_tokens, stride_tokens: longer documents are read in windows; see mmpipe.models.windows.read_texts. A piece that
        two windows hold has the mean of both.
    batch_tokens: padded tokens of the encoder in a forward pass; None: as suits the device.
    training: how it learns; see mmpipe.models.training.Training. To keep it as it is, name its component in
        `training.frozen_components` and `training.annotating_components`.
    """
    return transformer_model(
        "mmpipe.TokenEncoder.v1",
        forward,
        auto_class="AutoModel",
        reference=Reference(name, revision, offline),
        device=device,
        precision=precision,
        backend=backend,
        training=training,
        width=width,
        init=_start,
        max_tokens=max_tokens,
        stride_tokens=stride_tokens,
        batch_tokens=batch_tokens,
        dropout_rate=0.0,
    )


def forward(model: Model, docs: Sequence[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
    shim = shim_of(model)
    _check_width(shim, model.get_dim("nO"))
    size = window_size(shim.config, shim.tokenizer, model.attrs["max_tokens"])
    readings = read_docs(shim.tokenizer, docs, max_tokens=size, stride_tokens=model.attrs["stride_tokens"])
    windows = [window for reading in readings for window in reading.windows]
    if is_train:
        return _learn(model, readings, windows)

    def run(inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        return list(call(shim.module, inputs).last_hidden_state.float().cpu())

    hidden = map_windows(run, windows, shim, budget_tokens=shim.budget(model.attrs["batch_tokens"]), max_tokens=size)
    return [model.ops.asarray2f(vectors.numpy()) for vectors in _vectors(model, readings, hidden)], _ignore


def _learn(model: Model, readings: Sequence[DocReading], windows: Sequence[Window]) -> tuple[list[Floats2d], Callable]:
    shim = shim_of(model)
    shim.dropout = model.attrs["dropout_rate"]
    with shim.training() as module:

        def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return call(module, inputs).last_hidden_state.float()

        outputs = _vectors(model, readings, learn_windows(run, windows, shim) if windows else ())

    def backprop(d_outputs: Sequence[Floats2d]) -> list[Doc]:
        gradients = [xp2torch(d).to(out.device) for out, d in zip(outputs, d_outputs, strict=True)]
        learned = [index for index, out in enumerate(outputs) if out.requires_grad]
        if learned:
            shim.start_training().backward_from([outputs[i] for i in learned], [gradients[i] for i in learned])
        return []

    return [model.ops.asarray2f(vectors.detach().cpu().numpy()) for vectors in outputs], backprop


def _vectors(model: Model, readings: Sequence[DocReading], hidden: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """The token vectors of each document, from the vectors of all documents' windows."""
    rest, found = iter(hidden), []
    for reading in readings:
        of_doc = [next(rest) for _ in reading.windows]
        if of_doc:
            found.append(token_vectors(reading, of_doc))
        else:
            found.append(torch.zeros(reading.n_tokens, model.get_dim("nO")))
    return found


def _start(model: Model, X: object = None, Y: object = None) -> None:
    shim_of(model).start_training()


def _check_width(shim: TransformerShim, width: int) -> None:
    if shim.config.hidden_size != width:
        raise ModelError(
            f"model {shim.checkpoint.reference.name!r} has vectors of width {shim.config.hidden_size}, not {width}",
            next_step=f"set width = {shim.config.hidden_size}, of the encoder and of all who listen to it",
        )


def _ignore(d_outputs: object) -> list[Doc]:
    return []
