"""Sentence scorers for extractive summaries: a small trained head and a training-free centrality.

Both read the sentence embeddings of one document, one L2-normalised row a sentence, and return one
score a sentence; higher means that the sentence belongs in the summary.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["N_FEATURES", "SentenceHead", "centrality_scores", "sentence_features"]

N_FEATURES = 7
LONG = 20
WEIGHTS_NAME = "head.safetensors"
CONFIG_NAME = "head.json"


def sentence_features(embeddings: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
    """Scalar features of the sentences of one document, each of them of the order of one.

    embeddings: normalised sentence embeddings, (n_sents, width).
    positions: place of each sentence in the document, from 0, (n_sents,).
    lengths: word pieces in each sentence, without special ones, (n_sents,).
    RETURNS: log position, relative position, whether first, log length, cosine to the document mean,
        mean cosine to the other sentences, log number of sentences, (n_sents, N_FEATURES).
    """
    n_sents = embeddings.shape[0]
    total = embeddings.sum(dim=0)
    place = positions.to(embeddings.dtype)
    others = (embeddings @ total - embeddings.square().sum(dim=1)) / max(n_sents - 1, 1)
    size = torch.clamp(place.max() + 1, min=n_sents)
    columns = [
        torch.log1p(place) / 2.0 - 1.0,
        2.0 * place / torch.clamp(size - 1, min=1.0) - 1.0,
        (place == 0).to(embeddings.dtype),
        torch.log1p(lengths.to(embeddings.dtype)) - 3.2,
        3.0 * (embeddings @ nn.functional.normalize(total, dim=0) - 0.5),
        5.0 * (others - 0.3),
        (torch.log(size) - 2.5).expand(n_sents),
    ]
    return torch.stack(columns, dim=1)


class SentenceHead(nn.Module):
    """Logits for the sentences of one document from frozen embeddings.

    A linear projection of the embedding, of its product with the document mean and of the scalar
    features, then small Transformer encoder layers over the sentences, then one logit a sentence. The
    order of sentences is known from the features only, so there is no limit to their number. `lead` is
    the strength of a position prior that no training sets: lead / (1 + position) is added to the logits of
    documents of LONG sentences or more, and proportionally less to those of shorter ones. While the head learns it is
    left out, so that what is learned does not lean on it.
    """

    def __init__(
        self,
        width: int = 384,
        *,
        hidden: int = 64,
        n_layers: int = 1,
        n_heads: int = 4,
        dropout: float = 0.5,
        lead: float = 0.0,
    ) -> None:
        super().__init__()
        self.config = {"width": width, "hidden": hidden, "n_layers": n_layers, "n_heads": n_heads}
        self.lead = lead
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * width + N_FEATURES, hidden)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(hidden, n_heads, 2 * hidden, dropout, "gelu", batch_first=True, norm_first=True)
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, 1)
        self.scalars = nn.Sequential(nn.Linear(N_FEATURES, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, embeddings: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        """Score the sentences of one document.

        embeddings: normalised sentence embeddings, (n_sents, width).
        positions: place of each sentence in the document, from 0, (n_sents,).
        lengths: word pieces in each sentence, (n_sents,).
        RETURNS: one logit a sentence, (n_sents,).
        """
        if embeddings.shape[0] == 0:
            return embeddings.new_zeros(0)
        features = sentence_features(embeddings, positions, lengths)
        centre = nn.functional.normalize(embeddings.sum(dim=0), dim=0)
        scale = embeddings.shape[1] ** 0.5
        product = scale**2 * embeddings * centre
        inputs = torch.cat([self.dropout(scale * embeddings), product, features], dim=1)
        hidden = self.project(inputs).unsqueeze(0)
        for layer in self.layers:
            hidden = layer(hidden)
        context = self.output(self.dropout(self.norm(hidden))).view(-1)
        scores = context + self.scalars(features).view(-1)
        if self.training:
            return scores
        return scores + self.lead * min(1.0, embeddings.shape[0] / LONG) / (1.0 + positions)

    def save(self, path: str | Path) -> None:
        """Write `head.safetensors` and `head.json` into a folder."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.detach().contiguous() for k, v in self.state_dict().items()}, folder / WEIGHTS_NAME)
        config = json.dumps({**self.config, "lead": self.lead}, indent=2, sort_keys=True) + "\n"
        (folder / CONFIG_NAME).write_text(config, encoding="utf-8")

    @classmethod
    def from_folder(cls, path: str | Path) -> SentenceHead:
        """Read a head that `save` wrote, in evaluation mode."""
        folder = Path(path)
        head = cls(**json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
        head.load_state_dict(load_file(folder / WEIGHTS_NAME))
        return head.eval()


def centrality_scores(
    embeddings: np.ndarray,
    positions: np.ndarray | None = None,
    *,
    threshold: float = 0.3,
    backward: float = 0.5,
    lead: float = 0.0,
) -> np.ndarray:
    """Degree centrality of sentences in embedding space, with a position prior; nothing is trained.

    A sentence is central if it is similar to many others (degree centrality of LexRank, Erkan & Radev
    2004), and similarity to sentences that come after it counts for more than to those before it (the
    directed edges of PacSum, Zheng & Lapata 2019).

    embeddings: normalised sentence embeddings of one document, (n_sents, width).
    positions: place of each sentence in the document, from 0; by default its row, (n_sents,).
    threshold: cosine under which two sentences are not linked; it is taken off every edge.
    backward: weight of links to earlier sentences, later ones having 1; 1 is plain LexRank degree.
    lead: strength of a further prior, 1 / (1 + position).
    RETURNS: one score a sentence, (n_sents,).
    """
    n_sents = embeddings.shape[0]
    if n_sents == 0:
        return np.zeros(0, dtype=np.float32)
    place = np.arange(n_sents) if positions is None else np.asarray(positions)
    vectors = np.asarray(embeddings, dtype=np.float32)
    edges = np.maximum(vectors @ vectors.T - threshold, 0.0)
    np.fill_diagonal(edges, 0.0)
    weights = np.where(place[None, :] > place[:, None], 1.0, backward)
    degree = (edges * weights).sum(axis=1) / max(n_sents - 1, 1)
    return (degree + lead / (1.0 + place)).astype(np.float32)
