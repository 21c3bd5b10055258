"""CIDEr-D: how well a caption agrees with what several people wrote, quick enough to be a reward in training.

Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation". The scale is that of the authors' code,
0 to 10; papers often print it times 100 (and of the plain CIDEr, which has no penalty for length).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

Caption = str | Sequence[Hashable]
"""A text, or its words (or word numbers)."""

_LONGEST = 4
_SIGMA = 6.0


def words(caption: Caption) -> Sequence[Hashable]:
    """Lower-case runs of letters and digits of a text; words given as such stay as they are."""
    return re.findall(r"[^\W_]+", caption.lower()) if isinstance(caption, str) else caption


class CiderD:
    """CIDEr-D with the document frequencies of `references`, counted once.

    references: the captions of each image, shape (n_images, n_captions of that image). Raises ValueError for none.
    """

    def __init__(self, references: Sequence[Sequence[Caption]]) -> None:
        if not references:
            raise ValueError("CIDEr-D needs the references of at least one image")
        # The authors' code takes the logarithm of the number of images; of one image nothing would be left.
        self.log_n_images = math.log(max(len(references), 2))
        frequency: Counter = Counter()
        for captions in references:
            frequency.update({gram for caption in captions for gram in _counted(caption)[0]})
        self._idf = {gram: self.log_n_images - math.log(n) for gram, n in frequency.items()}
        self._indexed: dict[tuple, _References] = {}

    def score_each(
        self, candidates: Sequence[Caption], reference_sets: Sequence[Sequence[Caption]], *, remember: bool = True
    ) -> np.ndarray:
        """The score of each candidate against the captions of its image, float64 of shape (n_candidates,), 0 to 10.

        remember: keep what is computed of each reference set for later calls, as a training reward wants it.
        """
        return np.array(
            [
                self._score(candidate, self._index(references, remember))
                for candidate, references in zip(candidates, reference_sets, strict=True)
            ],
            dtype=np.float64,
        )

    def score(self, candidates: Sequence[Caption], reference_sets: Sequence[Sequence[Caption]]) -> float:
        """The mean of `score_each`."""
        return float(self.score_each(candidates, reference_sets).mean())

    def _score(self, candidate: Caption, references: _References) -> float:
        counts, length = _counted(candidate)
        norms = [0.0] * _LONGEST
        dots = [[0.0] * len(references.lengths) for _ in range(_LONGEST)]
        postings, idf, unseen = references.postings, self._idf, self.log_n_images
        for gram, n in counts.items():
            order, weight = len(gram) - 1, n * idf.get(gram, unseen)
            norms[order] += weight * weight
            for which, other in postings.get(gram, ()):
                dots[order][which] += min(weight, other) * other
        total = 0.0
        for which, other_length in enumerate(references.lengths):
            similarity = sum(
                dots[order][which] / math.sqrt(norms[order] * references.norms[which][order])
                for order in range(_LONGEST)
                if dots[order][which]
            )
            total += similarity * math.exp(-((length - other_length) ** 2) / (2 * _SIGMA**2))
        return 10 * total / (_LONGEST * max(len(references.lengths), 1))

    def _index(self, references: Sequence[Caption], remember: bool) -> _References:
        key = tuple(caption if isinstance(caption, str) else tuple(caption) for caption in references)
        found = self._indexed.get(key)
        if found is None:
            found = _References(references, self._idf, self.log_n_images)
            if remember:
                self._indexed[key] = found
        return found


class _References:
    """The captions of one image, by n-gram.

    postings: n-gram -> (caption, weight) of the captions that hold it. norms: squared, shape (n_captions, 4).
    """

    def __init__(self, references: Sequence[Caption], idf: dict[tuple, float], unseen: float) -> None:
        self.lengths: list[int] = []
        self.norms: list[list[float]] = []
        self.postings: dict[tuple, list[tuple[int, float]]] = defaultdict(list)
        for which, caption in enumerate(references):
            counts, length = _counted(caption)
            norms = [0.0] * _LONGEST
            for gram, n in counts.items():
                weight = n * idf.get(gram, unseen)
                norms[len(gram) - 1] += weight * weight
                self.postings[gram].append((which, weight))
            self.lengths.append(length)
            self.norms.append(norms)
        self.postings = dict(self.postings)


def _counted(caption: Caption) -> tuple[Counter, int]:
    """The n-grams of a caption, of all lengths up to four together, and its number of words."""
    said = words(caption)
    counts = Counter(zip(said, strict=False))
    for n in range(2, _LONGEST + 1):
        counts.update(zip(*(said[i:] for i in range(n)), strict=False))
    return counts, len(said)
