"""Caption-small, stage 3: self-critical sequence training (Rennie et al. 2017).

Five captions an image are drawn from the model; each is rewarded with CIDEr-D plus a multiple of its BLEU-4, and its
baseline is the mean reward of the other four (Luo 2020, "A Better Variant of Self-Critical Sequence Training"). The
end of a caption counts as a word in the reward, so captions that stop in the middle ("in the") lose. The backbone
rests.

    python caption_small_scst.py --data DIR --work WORK --epochs 4
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from caption_small import held_out_report
from caption_small_convert import restored
from caption_small_decoder import logits, pack, sample
from caption_small_model import LONGEST, Average, Examples, autocast, build, features_of, mix, save
from caption_small_scores import Bleu, ngrams
from caption_small_text import EOS, words_of
from torch import Tensor, nn
from torch.nn import functional

from mmpipe.metrics.cider import CiderD


class Reward:
    """CIDEr-D plus `bleu` times BLEU-4, less `repeat` for each word pair that comes twice."""

    def __init__(self, examples: Examples, bleu: float, repeat: float, length: str) -> None:
        self.references = [[(*words_of(caption), "</s>") for caption in row["captions"]] for row in examples.rows]
        self.words, self.weight, self.repeat = examples.words, bleu, repeat
        self.cider, self.bleu = CiderD(self.references), Bleu(self.references, length)

    def __call__(self, image: int, caption: list[int]) -> float:
        said = [self.words[word] for word in caption]
        counts = ngrams(said)
        again = sum(n - 1 for n in counts[1].values())
        score = float(self.cider.score_each([said], [self.references[image]])[0])
        score += self.weight * self.bleu.score_counts(image, counts, len(said))
        return score - self.repeat * again


def advantages(rewards: Tensor) -> Tensor:
    """Each reward less the mean of the others of its image."""
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return rewards - others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--start", nargs="+", default=["cross_entropy.pt"], help="checkpoints in WORK, averaged")
    parser.add_argument("--start-from", type=Path, help="an exported model, in their place")
    parser.add_argument("--name", default="scst.pt", help="of the checkpoint in WORK")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--each", type=int, default=5, help="captions drawn for an image")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--bleu", type=float, default=2.0)
    parser.add_argument("--length", choices=["closest", "median"], default="closest", help="of references, for BLEU")
    parser.add_argument("--blur", type=float, default=0.0, help="share of the image's features that is dropped")
    parser.add_argument("--repeat", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    before = restored(args.start_from) if args.start_from else mix([torch.load(args.work / n) for n in args.start])
    examples = Examples(args.data, args.work, before["words"])
    model = build(examples.words, *before["shape"])
    model.load_state_dict(before["averaged"])
    model.eval()
    model.encoder.backbone.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    steps = args.epochs * (len(examples.train) // args.batch)

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / 30) * max(0.03, 1 - step / steps)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    average, reward = Average(trained, 0.99), Reward(examples, args.bleu, args.repeat, args.length)
    checkpoint, first, step = args.work / args.name, 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        for part, name in [(model, "model"), (optimizer, "optimizer"), (schedule, "schedule")]:
            part.load_state_dict(state[name])
        first, step = state["epoch"], state["step"]
        average.values, average.steps = state["average"], step
    else:
        print(held_out_report(model, examples), flush=True)
    for epoch in range(first, args.epochs):
        began, mean, size = time.monotonic(), 0.0, 0.0
        for number, (images, views) in enumerate(examples.epoch(args.batch, args.seed * 1000 + 500 + epoch)):
            model.eval()
            # Three contexts: autocast remembers weights that were cast without gradients until it is left.
            with torch.no_grad(), autocast():
                features = functional.dropout2d(features_of(model, views), args.blur, args.blur > 0)
                groups = sample(model.decoder, model.encoder.cells(features), args.each, LONGEST)
            rewards = torch.tensor([[reward(i, c) for c in group] for i, group in zip(images, groups, strict=True)])
            packed = pack(groups)
            with autocast():
                scores = logits(model.decoder, packed, model.encoder.cells(features)).float()
            gains = advantages(rewards).flatten()[packed.caption_of]
            loss = (gains * functional.cross_entropy(scores, packed.targets, reduction="none")).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 0.5)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            average.update()
            step += 1
            mean, size = mean + rewards.mean().item(), size + len(packed.inputs) / rewards.numel()
            if number % 30 == 29:
                n, ended = number + 1, sum(c[-1] == EOS for g in groups for c in g) / rewards.numel()
                seconds = (time.monotonic() - began) / n
                print(
                    f"{step} reward {mean / n:.3f} length {size / n:.1f} ended {ended:.2f} {seconds:.2f} s/step",
                    flush=True,
                )
        average.swap()
        print(f"epoch {epoch + 1}: {time.monotonic() - began:.0f} s, {held_out_report(model, examples)}", flush=True)
        averaged = {name: value.clone() for name, value in model.state_dict().items()}
        average.swap()
        save(
            checkpoint,
            epoch=epoch + 1,
            step=step,
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            schedule=schedule.state_dict(),
            average=average.values,
            averaged=averaged,
            words=examples.words,
            shape=before["shape"],
        )


if __name__ == "__main__":
    main()
