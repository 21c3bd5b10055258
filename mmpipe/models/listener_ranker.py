"""`mmpipe.ListenerRanker.v1`: a document's sentences, ranked over an encoder that other components share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, PyTorchShim
from thinc.types import Floats2d
from thinc.util import get_torch_default_device, torch2xp, xp2torch
from torch import Tensor, nn
from torch.nn import functional

from mmpipe.errors import ModelError
from mmpipe.models.dropout import Dropouts
from mmpipe.models.packing import pack, unpack
from mmpipe.models.ranker import Ranking
from mmpipe.models.sentence_head import SentenceHead
from mmpipe.sentences import sentences

NAME = "mmpipe.ListenerRanker.v1"


def ListenerRanker(
    tok2vec: Model[list[Doc], list[Floats2d]], lead_weight: float = 0.0
) -> Model[list[Doc], list[Ranking]]:
    """A thinc model from documents whose sentences are known to rankings of these.

    The head is that of `mmpipe.SentenceRanker.v1`; a sentence's vector is the mean of its tokens', and `n_pieces` of a
    ranking counts its tokens. It learns as spaCy's components do, by `begin_update` and a gradient for each score.

    tok2vec: what gives token vectors, usually a listener, `spacy.Tok2VecListener.v1` or
        `spacy-transformers.TransformerListener.v1`: then the encoder runs once for all who listen to it.
    lead_weight: weight of a prior for early sentences, added to what a new head learns.
    """
    shim = PyTorchShim(None, serialize_model=_to_bytes, deserialize_model=_from_bytes)
    attrs = {"dropout_rate": 0.0, "lead_weight": lead_weight}
    return Model(NAME, forward, init=_start, layers=[tok2vec], refs={"tok2vec": tok2vec}, shims=[shim], attrs=attrs)


def listens(model: Model) -> bool:
    """Whether the model is one of these: it takes documents and not lists of sentences."""
    return model.name == NAME


class DocumentHead(nn.Module):
    """A SentenceHead over the sentences of several documents."""

    def __init__(self, head: SentenceHead) -> None:
        super().__init__()
        self.head = head
        self.dropouts = Dropouts(head)

    def forward(self, rows: Sequence[Tensor], members: Sequence[Sequence[Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """Of each document, its sentences' scores, (n_sents,), and vectors; arguments as of `sentence_vectors`."""
        return [self.read(of_doc, sents) for of_doc, sents in zip(rows, members, strict=True)]

    def read(self, rows: Tensor, members: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        positions = torch.arange(len(members), device=rows.device)
        lengths = torch.tensor([len(tokens) for tokens in members], device=rows.device)
        vectors = sentence_vectors(rows, members)
        return self.head(vectors, positions, lengths), vectors


def sentence_vectors(rows: Tensor, members: Sequence[Tensor]) -> Tensor:
    """The mean vector of each sentence's tokens, of length 1: (n_sents, width).

    rows: of a document's tokens, (n_tokens, width). members: which tokens each of its sentences has.
    """
    means = [rows[tokens].mean(0) for tokens in members]
    return functional.normalize(torch.stack(means), dim=-1) if means else rows.new_zeros(0, rows.shape[1])


def forward(model: Model, docs: Sequence[Doc], is_train: bool) -> tuple[list[Ranking], Callable]:
    shim = model.shims[0]
    if shim._model is None:
        raise ModelError(
            f"a {NAME} has no weights before it has been trained",
            next_step="train its pipeline with `mmpipe train`, and load what that saved",
        )
    vectors, bp_vectors = model.get_ref("tok2vec")(docs, is_train)
    rows = [xp2torch(of_doc, requires_grad=is_train, device=shim.device) for of_doc in vectors]
    members = [_members(doc, shim.device) for doc in docs]
    shim._model.dropouts.set(model.attrs["dropout_rate"])
    found, bp_scores = shim(ArgsKwargs((rows, members), {}), is_train)
    scores = [of_doc for of_doc, _ in found]
    rankings = []
    for (of_doc, sent_vectors), sents in zip(found, members, strict=True):
        lengths = np.array([len(tokens) for tokens in sents], dtype=np.int64)
        rankings.append(Ranking(_array(of_doc), _array(sent_vectors), lengths, 1.0))

    def backprop(d_scores: Sequence[np.ndarray]) -> Any:
        taught = [index for index, of_doc in enumerate(scores) if len(of_doc)]
        gradients = [torch.from_numpy(d_scores[i]).to(scores[i]) for i in taught]
        if taught:
            bp_scores(ArgsKwargs(([scores[i] for i in taught],), {"grad_tensors": gradients}))
        return bp_vectors([torch2xp(torch.zeros_like(r) if r.grad is None else r.grad) for r in rows])

    return rankings, backprop


def loss(rankings: Sequence[Ranking], targets: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """The mean of the listwise loss of `mmpipe.models.ranker.loss`, and at each score the gradient of its sum.

    targets: of each document, what share of the summary each sentence should have, shape (n_sents,), sum 1; all zeros
        for one that teaches nothing.
    """
    total, gradients = 0.0, []
    for ranking, target in zip(rankings, targets, strict=True):
        log_shares = torch.log_softmax(torch.from_numpy(ranking.scores), dim=0).numpy()
        total -= float((target * log_shares).sum())
        gradients.append((target.sum() * np.exp(log_shares) - target).astype(np.float32))
    return total / max(sum(bool(target.any()) for target in targets), 1), gradients


def _members(doc: Doc, device: torch.device) -> list[Tensor]:
    """Which tokens each sentence has, white space aside."""
    return [torch.tensor([token.i for token in sent if not token.is_space], device=device) for sent in sentences(doc)]


def _start(model: Model, X: Sequence[Doc] | None = None, Y: Any = None) -> None:
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    width = tok2vec.get_dim("nO") if tok2vec.has_dim("nO") else tok2vec.predict(X)[0].shape[1]
    head = SentenceHead(width, lead=model.attrs["lead_weight"])
    model.shims[0]._model = DocumentHead(head).to(get_torch_default_device())


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _to_bytes(module: DocumentHead | None) -> bytes:
    if module is None:
        return b""
    with TemporaryDirectory() as folder:
        module.head.save(folder)
        return pack(Path(folder))


def _from_bytes(module: DocumentHead | None, data: bytes, device: torch.device) -> DocumentHead | None:
    if not data:
        return None
    with TemporaryDirectory() as folder:
        unpack(data, Path(folder))
        return DocumentHead(SentenceHead.from_folder(folder)).to(device)
