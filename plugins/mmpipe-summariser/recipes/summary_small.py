"""Train `mmpipe/summary-small`: a sentence-scoring head over frozen all-MiniLM-L6-v2 embeddings.

    python summary_small.py --data DIR --out DIR [--seed 0]

`DIR/bbc_extractive.jsonl.gz` and `DIR/scitldr_train.jsonl.gz` train it; parts of the two that are set
aside, `scitldr_dev` and `cnn_dailymail_500` only measure it. Writes `head.safetensors`, `head.json`,
`overlay.json` and `figures.json`, and prints the figures as a table. `--measure` skips the training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmpipe_summariser.selection import select_sentences
from rouge_score.rouge_scorer import RougeScorer
from summary_small_data import (
    FILES,
    Document,
    drop_repeats,
    embed_documents,
    membership,
    opening,
    overlap,
    read_documents,
    split_documents,
    words,
)

from mmpipe.models.sentence_head import SentenceHead, centrality_scores

BASE = {
    "base": "sentence-transformers/all-MiniLM-L6-v2",
    "base_sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
METRICS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
TESTS = (("cnn_dm", "3"), ("bbc_test", "sentences"), ("bbc_test", "words"), ("sci_dev", "1"))
N_DEV, N_TEST, N_SCI_DEV = 200, 300, 300
Scorer = Callable[[Document], np.ndarray]


def load(data: Path, cache: Path, seed: int) -> dict[str, list[Document]]:
    """All parts, embedded; repeated articles are dropped before the split, so that no part sees another."""
    files: dict[str, list[Document]] = {}
    for name in FILES:
        files[name] = read_documents(data, name)
        embed_documents(files[name], cache / f"{name}.npz")
    articles = drop_repeats(files["bbc_extractive"])
    bbc_dev, bbc_test, bbc_train = split_documents(articles, N_DEV, N_TEST, seed=seed)
    seen = {opening(document) for document in files["scitldr_dev"]}
    sci_held, sci_train = split_documents(drop_repeats(files["scitldr_train"], seen), N_SCI_DEV, seed=seed)
    return {
        "bbc_train": bbc_train,
        "bbc_dev": bbc_dev,
        "bbc_test": bbc_test,
        "sci_train": sci_train,
        "sci_held": sci_held,
        "sci_dev": files["scitldr_dev"],
        "cnn_dm": files["cnn_dailymail_500"],
    }


def softmax(values: np.ndarray, temperature: float) -> np.ndarray:
    """(n_sents,) to a distribution over the sentences, (n_sents,)."""
    exponents = np.exp((values - values.max()) / temperature)
    return exponents / exponents.sum()


def target(document: Document, title_weight: float, temperature: float = 0.05) -> np.ndarray:
    """What the head should put its probability on, (n_sents,).

    SciTLDR: softmax of each sentence's overlap with the reference. BBC: half on the sentences that the
    reference was made of, half on the softmax of each sentence's overlap with the headline; so the
    headline decides which of the many reference sentences come first.
    """
    reference = document.title or document.references[0]
    close = softmax(np.array([overlap(s, reference) for s in document.sentences]), temperature)
    if not document.title:
        return close
    taken = membership(document)
    return (1.0 - title_weight) * taken / max(1.0, taken.sum()) + title_weight * close


def as_tensors(document: Document) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Arguments of the head: (n_sents, width), (n_sents,), (n_sents,)."""
    n_sents = len(document.sentences)
    return torch.from_numpy(document.embeddings), torch.arange(n_sents), torch.from_numpy(document.n_pieces)


def train(documents: list[Document], args: argparse.Namespace) -> SentenceHead:
    """Listwise cross-entropy between the targets and the softmax of the logits over each document."""
    torch.manual_seed(args.seed)
    shuffler = random.Random(args.seed)
    head = SentenceHead(hidden=args.hidden, n_layers=args.n_layers, dropout=args.dropout)
    data = [(as_tensors(d), torch.from_numpy(target(d, args.title_weight)).float()) for d in documents]
    n_steps = args.epochs * (len(data) // args.batch)
    optimizer = torch.optim.AdamW(head.parameters(), lr=args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=n_steps + 1, pct_start=0.1)
    head.train()
    for epoch in range(args.epochs):
        shuffler.shuffle(data)
        total = 0.0
        for start in range(0, len(data) - args.batch + 1, args.batch):
            batch = data[start : start + args.batch]
            losses = [-(wanted * torch.log_softmax(head(*inputs), dim=0)).sum() for inputs, wanted in batch]
            loss = torch.stack(losses).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} loss {total * args.batch / len(data):.4f}", flush=True)
    head.lead = args.lead
    return head.eval()


def scorers(head: SentenceHead) -> dict[str, Scorer]:
    """The three ways to score sentences that are compared; each gives (n_sents,)."""

    @torch.inference_mode()
    def by_head(document: Document) -> np.ndarray:
        return head(*as_tensors(document)).numpy()

    return {
        "lead": lambda document: -np.arange(len(document.sentences), dtype=float),
        "centrality": lambda document: centrality_scores(document.embeddings),
        "head": by_head,
    }


def budget(document: Document, kind: str) -> dict[str, int]:
    """Budget of one document: a number of sentences, or the reference's number of words."""
    if kind == "sentences":
        return {"n_sents": max(1, int(membership(document).sum()))}
    return {"max_tokens": len(words(document.references[0]))} if kind == "words" else {"n_sents": int(kind)}


def measure(documents: list[Document], scorer: Scorer, kind: str, diversity: float) -> np.ndarray:
    """F1 of each document, the best over its references, in percent: (n_documents, n_metrics)."""
    rouge, rows = RougeScorer(METRICS, use_stemmer=True), []
    for document in documents:
        n_words = np.array([len(words(s)) for s in document.sentences])
        limits = budget(document, kind)
        scores = scorer(document)
        chosen = select_sentences(scores, document.embeddings, n_words, diversity=diversity, **limits)
        text = "\n".join(document.sentences[i] for i in chosen)
        found = [rouge.score(reference, text) for reference in document.references]
        rows.append([100.0 * max(f[m].fmeasure for f in found) for m in METRICS])
    return np.array(rows)


def interval(differences: np.ndarray, seed: int = 0, n_draws: int = 2000) -> tuple[float, float]:
    """Paired bootstrap over documents, 95 %, of the mean difference, (n_documents,)."""
    rows = np.random.default_rng(seed).integers(0, len(differences), (n_draws, len(differences)))
    low, high = np.percentile(differences[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def table(parts: dict[str, list[Document]], head: SentenceHead, diversity: float) -> dict[str, object]:
    """Print and return the figures; lead is chosen without redundancy removal, under the same budget."""
    figures: dict[str, object] = {}
    print(f"| data, budget | scorer | {' | '.join(METRICS)} |\n|---|---|{'---|' * len(METRICS)}")
    for part, kind in TESTS:
        lead = np.zeros(0)
        for name, scorer in scorers(head).items():
            values = measure(parts[part], scorer, kind, 0.0 if name == "lead" else diversity)
            lead = values if name == "lead" else lead
            cells, row = [], {}
            for column, metric in enumerate(METRICS):
                mean = float(values[:, column].mean())
                low, high = interval(values[:, column] - lead[:, column])
                row[metric] = {"f1": mean, "over_lead": [low, high]}
                cells.append(f"{mean:.2f}" if name == "lead" else f"{mean:.2f} ({low:+.2f} to {high:+.2f})")
            figures[f"{part}/{kind}/{name}"] = {"n_documents": len(values), **row}
            print(f"| {part}, {kind} | {name} | {' | '.join(cells)} |", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of the gzipped JSON lines")
    parser.add_argument("--out", type=Path, default=Path("summary-small"), help="folder of the model")
    parser.add_argument("--cache", type=Path, default=Path("embeddings"), help="folder of the embeddings")
    parser.add_argument("--measure", action="store_true", help="measure the model in --out, train nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--n-layers", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--title-weight", type=float, default=0.5)
    parser.add_argument("--lead", type=float, default=1.0, help="position prior, added after training")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--diversity", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts = load(args.data, args.cache, args.seed)
    print({name: len(documents) for name, documents in parts.items()})
    if args.measure:
        head = SentenceHead.from_folder(args.out)
    else:
        head = train(parts["bbc_train"] + parts["sci_train"], args)
        head.save(args.out)
        digest = hashlib.sha256((args.out / "head.safetensors").read_bytes()).hexdigest()
        overlay = json.dumps({**BASE, "head_sha256": digest}, indent=2)
        (args.out / "overlay.json").write_text(overlay + "\n", encoding="utf-8")
    figures = table(parts, head, args.diversity)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
