"""Caption-small, stage 2: cross-entropy on five captions an image, the late blocks of MobileNetV2 trained with it.

Vinyals et al. 2015, "Show and Tell"; label smoothing (Szegedy et al. 2016), word dropout on the decoder's inputs
(Bowman et al. 2016) and a moving average of the weights. While training, a linear map of the mean cell also guesses
the words of the image's captions (Fang et al. 2015); it is thrown away.

    python caption_small.py --data DIR --work WORK --epochs 12
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
from caption_small_decoder import Masks, logits, pack, sample
from caption_small_model import LONGEST, Average, Examples, autocast, build, cells_of, load_imagenet, save
from caption_small_scores import Bleu
from caption_small_text import EOS, PAD, UNK
from caption_small_views import EARLY
from torch import Tensor, nn
from torch.nn import functional

from mmpipe.metrics.cider import CiderD


def word_targets(examples: Examples) -> Tensor:
    """How often each word is in the captions of each image, weighted by its rarity, summing to one."""
    counts = torch.zeros(len(examples.rows), len(examples.words))
    for i, captions in enumerate(examples.captions):
        for word in {word for caption in captions for word in caption if word not in (UNK, EOS)}:
            counts[i, word] = sum(word in caption for caption in captions)
    rarity = (len(counts) / (counts > 0).sum(0).clamp(min=1)).log().clamp(min=0)
    weighted = counts * rarity
    return weighted / weighted.sum(1, keepdim=True).clamp(min=1e-6)


def parameter_groups(model: nn.Module, extra: nn.Module, rate: float, backbone_rate: float) -> list[dict]:
    """Weight decay for matrices only; a rate of its own for the backbone, whose early blocks stay frozen."""
    decayed, plain, backbone = [], [], []
    model.encoder.backbone.requires_grad_(False)
    for module in (*model.encoder.backbone.blocks[EARLY:], model.encoder.backbone.last):
        module.requires_grad_(True)
    for name, parameter in [*model.named_parameters(), *extra.named_parameters()]:
        if parameter.requires_grad:
            is_matrix = parameter.dim() == 2 and ".wpe" not in name
            (backbone if ".backbone." in name else decayed if is_matrix else plain).append(parameter)
    return [
        {"params": decayed, "lr": rate, "weight_decay": 0.05},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": backbone, "lr": backbone_rate, "weight_decay": 0.0},
    ]


@torch.no_grad()
def held_out_report(model: nn.Module, examples: Examples) -> str:
    """Loss, BLEU-4 and CIDEr-D of the likeliest words on the plain view of the images held out."""
    model.eval()
    losses, captions = [], []
    for start in range(0, len(examples.held_out), 50):
        numbers = examples.held_out[start : start + 50]
        with autocast():
            cells = cells_of(model, examples.view(numbers, [0] * len(numbers)))
            packed = pack([examples.captions[i] for i in numbers])
            scores = logits(model.decoder, packed, cells).float()
            captions += [group[0] for group in sample(model.decoder, cells, 1, LONGEST, greedy=True)]
        losses.append(functional.cross_entropy(scores, packed.targets, ignore_index=PAD).item())
    model.train()
    references = [[c[:-1] for c in examples.captions[i]] for i in examples.held_out]
    captions = [caption[:-1] if caption[-1] == EOS else caption for caption in captions]
    bleu, mean = Bleu(references), CiderD(references).score(captions, references)
    first = " | ".join(" ".join(examples.words[w] for w in caption) for caption in captions[:60:15])
    loss, four = sum(losses) / len(losses), bleu.corpus(range(len(captions)), captions)
    return f"held out: loss {loss:.3f}, greedy BLEU-4 {four:.2f}, CIDEr-D {mean:.3f}: {first}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=32, help="images in a step; each brings its five captions")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--heads", type=int, default=5)
    parser.add_argument("--encoder-layers", type=int, default=1)
    parser.add_argument("--decoder-layers", type=int, default=3)
    parser.add_argument("--rate", type=float, default=7e-4)
    parser.add_argument("--backbone-rate", type=float, default=1e-4)
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--word-dropout", type=float, default=0.08)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--words-weight", type=float, default=0.15, help="of the loss on the set of words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    examples = Examples(args.data, args.work)
    shape = (args.width, args.heads, args.encoder_layers, args.decoder_layers)
    model = build(examples.words, *shape)
    load_imagenet(model, args.data)
    guess = nn.Linear(args.width, len(examples.words))
    groups = parameter_groups(model, guess, args.rate, args.backbone_rate)
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
    steps = args.epochs * (len(examples.train) // args.batch)
    warm = max(1, min(400, steps // 10))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm) * (0.02 + 0.98 * (1 + math.cos(math.pi * min(step / steps, 1))) / 2)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    average = Average([p for p in model.parameters() if p.requires_grad], 0.998)
    targets = word_targets(examples)
    drop, checkpoint, first, step = Masks(args.dropout), args.work / "cross_entropy.pt", 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        if state["epoch"] < args.epochs:
            for part, name in [(model, "model"), (guess, "guess"), (optimizer, "optimizer"), (schedule, "schedule")]:
                part.load_state_dict(state[name])
        first, step = state["epoch"], state["step"]
        average.values, average.steps = state["average"], step
    model.train()
    for epoch in range(first, args.epochs):
        began, total = time.monotonic(), 0.0
        for number, (images, views) in enumerate(examples.epoch(args.batch, args.seed * 1000 + epoch)):
            packed = pack([examples.captions[i] for i in images])
            blank = (torch.rand(len(packed.inputs)) < args.word_dropout) & (packed.positions > 0)
            packed.inputs[blank] = UNK
            with autocast():
                cells = cells_of(model, views)
                scores = logits(model.decoder, packed, cells, drop)
                words = guess(cells.mean(1)).float()
            loss = functional.cross_entropy(
                scores.float(), packed.targets, ignore_index=PAD, label_smoothing=args.smoothing
            )
            total += loss.item()
            aside = functional.cross_entropy(words, targets[images])
            (loss + args.words_weight * aside).backward()
            nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            average.update()
            step += 1
            if number % 40 == 39:
                seconds = (time.monotonic() - began) / (number + 1)
                print(f"{step} loss {total / (number + 1):.3f} words {aside:.3f} {seconds:.2f} s/step", flush=True)
        average.swap()
        print(f"epoch {epoch + 1}: {time.monotonic() - began:.0f} s, {held_out_report(model, examples)}", flush=True)
        averaged = {name: value.clone() for name, value in model.state_dict().items()}
        average.swap()
        save(
            checkpoint,
            epoch=epoch + 1,
            step=step,
            model=model.state_dict(),
            guess=guess.state_dict(),
            optimizer=optimizer.state_dict(),
            schedule=schedule.state_dict(),
            average=average.values,
            averaged=averaged,
            words=examples.words,
            shape=shape,
        )


if __name__ == "__main__":
    main()
