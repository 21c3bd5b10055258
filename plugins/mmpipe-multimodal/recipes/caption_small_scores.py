"""Caption-small: BLEU-4 of one caption and of many, quick enough to be a reward (Papineni et al. 2002).

Captions are sequences of words or word numbers. CIDEr-D is in `mmpipe.metrics.cider`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from statistics import median_low

Caption = Sequence[Hashable]


def ngrams(caption: Caption, longest: int = 4) -> list[Counter]:
    """One counter for each length from 1 to `longest`."""
    return [Counter(zip(*(caption[i:] for i in range(n)), strict=False)) for n in range(1, longest + 1)]


class Bleu:
    """Sentence BLEU-4 with add-one smoothing above unigrams (Lin and Och 2004), and corpus BLEU-4 of many.

    length: which length of the references a caption must have not to be too short: the closest one, as BLEU has it,
    or their median, which does not invite short captions.
    """

    def __init__(self, references: list[list[Caption]], length: str = "closest") -> None:
        self.most: list[list[Counter]] = []
        self.lengths = [[len(caption) for caption in group] for group in references]
        if length == "median":
            self.lengths = [[median_low(lengths)] for lengths in self.lengths]
        for group in references:
            most = [Counter() for _ in range(4)]
            for caption in group:
                for best, counts in zip(most, ngrams(caption), strict=True):
                    best |= counts
            self.most.append(most)

    def parts(self, image: int, counts: list[Counter], length: int) -> tuple[list[int], list[int], int]:
        """Matches and totals for each length, and the closest reference length."""
        hits = [
            sum(min(n, most[g]) for g, n in order.items()) for order, most in zip(counts, self.most[image], strict=True)
        ]
        closest = min(self.lengths[image], key=lambda other: (abs(other - length), other))
        return hits, [max(length - n, 0) for n in range(4)], closest

    def score_counts(self, image: int, counts: list[Counter], length: int) -> float:
        hits, totals, closest = self.parts(image, counts, length)
        if not hits[0]:
            return 0.0
        logs = [math.log((h + (n > 0)) / (t + (n > 0))) for n, (h, t) in enumerate(zip(hits, totals, strict=True))]
        return math.exp(sum(logs) / 4 + min(0.0, 1 - closest / length))

    def corpus(self, images: Sequence[int], captions: Sequence[Caption]) -> float:
        """0 to 100, without smoothing."""
        hits, totals, length, closest = [0] * 4, [0] * 4, 0, 0
        for image, caption in zip(images, captions, strict=True):
            h, t, c = self.parts(image, ngrams(caption), len(caption))
            hits, totals = (
                [a + b for a, b in zip(hits, h, strict=True)],
                [a + b for a, b in zip(totals, t, strict=True)],
            )
            length, closest = length + len(caption), closest + c
        if not all(hits):
            return 0.0
        mean = sum(math.log(h / t) for h, t in zip(hits, totals, strict=True)) / 4
        return 100 * math.exp(mean + min(0.0, 1 - closest / max(length, 1)))
