"""The metric `caption`: captions of images against those that several people wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmpipe.errors import RecordError
from mmpipe.metrics.base import Figures, Metric, Pair, malformed
from mmpipe.metrics.charts import Chart, histogram
from mmpipe.metrics.cider import CiderD, words
from mmpipe.metrics.extras import need

_ORDER = 4


@dataclass(frozen=True)
class Image:
    """An image with its right captions, at least one. path: None where the record names no image."""

    path: str | None
    captions: tuple[str, ...]


class Caption(Metric):
    """BLEU-4 (Papineni et al. 2002, by sacrebleu) and CIDEr-D (Vedantam et al. 2015).

    Gold, under `captions` by default: for the record's `image`, a text or a list of texts; for its `images`, one such
    list each, in order; or a dict from paths to such lists.
    """

    name = "caption"
    gold_key = "captions"
    headline = "bleu4"
    packages = ("sacrebleu.metrics.bleu",)

    def read_gold(self, record: Mapping[str, Any], key: str | None = None) -> list[Image] | None:
        """The record's images with their captions; see the class for the shapes."""
        key = key or self.gold_key
        value = record.get(key)
        if value is None or value == {}:
            return None
        if isinstance(value, dict):
            return [Image(path, _captions(record, key, one)) for path, one in value.items()]
        if not record.get("images"):
            return [Image(record.get("image"), _captions(record, key, value))]
        paths = [*([record["image"]] if record.get("image") else []), *record["images"]]
        if len(paths) == 1 and isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = [value]
        if not isinstance(value, list) or len(value) != len(paths):
            malformed(record, key, f"a list of {len(paths)} lists, one for each image", value)
        return [Image(path, _captions(record, key, one)) for path, one in zip(paths, value, strict=True)]

    def pairs(self, gold: Sequence[Image], predicted: Any) -> list[Pair]:
        """A pair an image; its prediction is a text."""
        entries = [entry for entry in predicted if self.recognises([entry])] if isinstance(predicted, list) else []
        found = []
        for image in gold:
            mine = [entry for entry in entries if image.path is None or entry.get("image", image.path) == image.path]
            if not mine:
                told = ", ".join(repr(entry.get("image")) for entry in entries) or "none"
                raise RecordError(
                    f"there is no caption of the image {image.path!r}; of: {told}",
                    next_step="put the image into the record (`image`, `images`)",
                )
            found.append(Pair(image, mine[0].get("text") or "", image.path or ""))
        return found

    def measure(self, pairs: Sequence[Pair]) -> Figures:
        """bleu4: lower case, letters and digits only, 0 to 100. bleu4_cased: of the texts as they stand, in
        sacrebleu's own tokenization (13a). cider_d: 0 to 10, the document frequencies those of this gold.
        length_ratio: words written over words of the nearest reference.
        """
        figures = self.recounter(pairs)(np.arange(len(pairs)))
        return {"sacrebleu": need("sacrebleu", "BLEU").__version__, **figures}

    def recounter(self, pairs: Sequence[Pair]) -> Callable[[np.ndarray], dict[str, float]]:
        bleu = need("sacrebleu.metrics.bleu", "BLEU").BLEU
        bare, cased = _counts(bleu, pairs, "none"), _counts(bleu, pairs, "13a")
        cider = np.array(self.judge_each(pairs))

        def count(chosen: np.ndarray) -> dict[str, float]:
            figures = {
                "bleu4": _bleu4(bleu, bare[chosen]),
                "bleu4_cased": _bleu4(bleu, cased[chosen]),
                "cider_d": cider[chosen].mean(),
                "length_ratio": bare[chosen, -2].sum() / max(bare[chosen, -1].sum(), 1),
            }
            return {key: float(value) for key, value in figures.items()}

        return count

    def judge_each(self, pairs: Sequence[Pair]) -> list[float]:
        golds = [pair.gold.captions for pair in pairs]
        return CiderD(golds).score_each([pair.predicted for pair in pairs], golds, remember=False).tolist()

    def charts(self, pairs: Sequence[Pair]) -> list[Chart]:
        return [histogram("CIDEr-D of each image", "CIDEr-D", {"images": np.array(self.judge_each(pairs))})]

    def show(self, pair: Pair) -> tuple[str, str]:
        return " / ".join(pair.gold.captions), pair.predicted

    @classmethod
    def recognises(cls, value: Any) -> bool:
        return bool(value) and isinstance(value, list) and all(_is_entry(entry) for entry in value)


def bare(text: str) -> str:
    """The form in which captions are compared: lower case, letters and digits only, one space between words."""
    return " ".join(map(str, words(text)))


def _counts(bleu: Any, pairs: Sequence[Pair], tokenize: str) -> np.ndarray:
    """What BLEU adds up, for each pair: 4 matches, 4 totals, length, nearest reference's length; (n_pairs, 10)."""
    scorer, form = bleu(tokenize=tokenize, effective_order=True, force=True), bare if tokenize == "none" else str
    found = [
        scorer.sentence_score(form(pair.predicted), [form(caption) for caption in pair.gold.captions]) for pair in pairs
    ]
    return np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found], dtype=np.int64)


def _bleu4(bleu: Any, rows: np.ndarray) -> float:
    total = rows.sum(axis=0).tolist()
    return bleu.compute_bleu(
        total[:_ORDER], total[_ORDER : 2 * _ORDER], total[-2], total[-1], smooth_method="exp"
    ).score


def _captions(record: Mapping[str, Any], key: str, value: Any) -> tuple[str, ...]:
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        malformed(record, key, "a text or a list of texts for each image", value)
    return tuple(value)


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and "text" in entry and "image" in entry
