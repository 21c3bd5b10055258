"""`mmpipe.TokenEncoder.v1`: a Hugging Face encoder as spaCy's `tok2vec`, which any component can listen to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import xp2torch
from torch import nn

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
    layers: Annotated[list[int], Field(min_length=1)] | None = None,
) -> Model[list[Doc], list[Floats2d]]:
    """A thinc model from documents to a vector for each of spaCy's tokens, float32, shape (n_tokens, width).

    A token's vector is the mean of its pieces' in the encoder; a token of white space has zeros. It is the
    model of a `tok2vec` component: whoever has a `spacy.Tok2VecListener.v1` then shares one pass of the encoder.

    name, revision, offline: see mmpipe.models.reference.Reference.
    width: of the vectors, the encoder's `hidden_size` times the number of layers; listeners are told the same number.
    device, precision: see mmpipe.models.transformer.transformer_model. backend: see mmpipe.models.transformer.Backend.
    max_tokens, stride_tokens: longer documents are read in windows; see mmpipe.models.windows.read_texts. A piece that
        two windows hold has the mean of both.
    batch_tokens: tokens of the encoder in a forward pass; None: as suits the device.
    training: how it learns; see mmpipe.models.training.Training. To keep it as it is, name its component in
        `training.frozen_components` and `training.annotating_components`.
    layers: the layers whose vectors are put end to end, 0 for the embeddings, -1 for the last; None: the last alone.
        Those in the middle still tell what an encoder was not tuned for. Only torch gives more than the last.
    """
    if layers is not None and backend not in ("auto", "torch", "torch.compile"):
        raise ModelError(
            f"backend {backend!r} gives an encoder's last layer alone",
            next_step='leave out layers, or set backend = "torch"',
        )
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
        layers=layers,
    )


def forward(model: Model, docs: Sequence[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
    shim = shim_of(model)
    layers = model.attrs["layers"]
    _check_width(shim, model.get_dim("nO"), 1 if layers is None else len(layers))
    size = window_size(shim.config, shim.tokenizer, model.attrs["max_tokens"])
    readings = read_docs(shim.tokenizer, docs, max_tokens=size, stride_tokens=model.attrs["stride_tokens"])
    windows = [window for reading in readings for window in reading.windows]
    if is_train:
        return _learn(model, readings, windows)

    def run(inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        return list(_hidden(shim.module, inputs, layers).cpu())

    hidden = map_windows(run, windows, shim, budget_tokens=shim.budget(model.attrs["batch_tokens"]), max_tokens=size)
    return [model.ops.asarray2f(vectors.numpy()) for vectors in _vectors(model, readings, hidden)], _ignore


def _learn(model: Model, readings: Sequence[DocReading], windows: Sequence[Window]) -> tuple[list[Floats2d], Callable]:
    shim = shim_of(model)
    shim.dropout = model.attrs["dropout_rate"]
    with shim.training() as module:

        def run(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return _hidden(module, inputs, model.attrs["layers"])

        outputs = _vectors(model, readings, learn_windows(run, windows, shim) if windows else ())

    def backprop(d_outputs: Sequence[Floats2d]) -> list[Doc]:
        gradients = [xp2torch(d).to(out.device) for out, d in zip(outputs, d_outputs, strict=True)]
        learned = [index for index, out in enumerate(outputs) if out.requires_grad]
        if learned:
            shim.start_training().backward_from([outputs[i] for i in learned], [gradients[i] for i in learned])
        return []

    return [model.ops.asarray2f(vectors.detach().cpu().numpy()) for vectors in outputs], backprop


def _hidden(module: nn.Module, inputs: Mapping[str, torch.Tensor], layers: Sequence[int] | None) -> torch.Tensor:
    """(n_windows, length, width), fp32."""
    if layers is None:
        return call(module, inputs).last_hidden_state.float()
    found = call(module, {**inputs, "output_hidden_states": True}).hidden_states
    try:
        return torch.cat([found[layer] for layer in layers], -1).float()
    except IndexError:
        raise ModelError(
            f"layers = {list(layers)}, but this encoder has {len(found) - 1}",
            next_step=f"use numbers from 0, its embeddings, to {len(found) - 1}, or from -1 backwards",
        ) from None


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


def _check_width(shim: TransformerShim, width: int, n_layers: int) -> None:
    known = shim.config.hidden_size * n_layers
    if known != width:
        of_layers = f", {n_layers} layers of them" if n_layers > 1 else ""
        raise ModelError(
            f"model {shim.checkpoint.reference.name!r} has vectors of width {shim.config.hidden_size}{of_layers}, "
            f"not {width}",
            next_step=f"set width = {known}, of the encoder and of all who listen to it",
        )


def _ignore(d_outputs: object) -> list[Doc]:
    return []
