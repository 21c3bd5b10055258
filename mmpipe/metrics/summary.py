"""The metric `summary`: ROUGE against one or several reference summaries."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmpipe.metrics.base import Figures, Metric, Pair, malformed
from mmpipe.metrics.charts import Chart, histogram
from mmpipe.metrics.extras import need

ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？｡])(?![”’」』）])\s*(?=\S)")
_LATIN_OR_NOT = re.compile(r"([A-Za-z\u00c0-\u024f])|[^\W\d_]")
# Scripts that put no space between words (Thai to Lao, Khmer, kana, Han): each character counts as a word.
_SEAMLESS = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SEAMLESS}]|[^\W_{_SEAMLESS}]+")


class Summary(Metric):
    """ROUGE-1, -2, -L and -Lsum (Lin 2004) by rouge-score: F1 in percent, with stemming, the best reference's.

    Gold, under `summary` by default: a text, or a list of texts that are each a reference. References in another
    script than the Latin, which rouge-score would see nothing of, are compared by words as Unicode has them, and by
    characters where the script puts no space between words.
    ROUGE-Lsum wants a sentence a line: texts of one line are split at full stops, question and exclamation marks.
    """

    name = "summary"
    gold_key = "summary"
    headline = "rougeLsum"
    packages = ("rouge_score.rouge_scorer",)

    def read_gold(self, record: Mapping[str, Any], key: str | None = None) -> tuple[str, ...] | None:
        """The references."""
        key = key or self.gold_key
        value = record.get(key)
        if value is None or value == "" or value == []:
            return None
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            malformed(record, key, "a text or a list of texts", value)
        return tuple(texts)

    def pairs(self, gold: Sequence[str], predicted: Any) -> list[Pair]:
        """One pair; its prediction is a text."""
        text = predicted.get("text") if isinstance(predicted, Mapping) else predicted
        return [Pair(tuple(gold), text if isinstance(text, str) else "")]

    def measure(self, pairs: Sequence[Pair]) -> Figures:
        """rouge1, rouge2, rougeL, rougeLsum: mean F1 in percent. words: mean length of the summaries."""
        return self.recounter(pairs)(np.arange(len(pairs)))

    def recounter(self, pairs: Sequence[Pair]) -> Callable[[np.ndarray], dict[str, float]]:
        rows = np.array([_row(pair) for pair in pairs])
        return lambda chosen: dict(zip([*ROUGES, "words"], rows[chosen].mean(axis=0).tolist(), strict=True))

    def judge_each(self, pairs: Sequence[Pair]) -> list[float]:
        return [_row(pair)[ROUGES.index(self.headline)] for pair in pairs]

    def charts(self, pairs: Sequence[Pair]) -> list[Chart]:
        rows = np.array([_row(pair) for pair in pairs])
        values = {name: rows[:, i] for i, name in enumerate(ROUGES[:3])}
        return [histogram("F1 of each document", "F1", values)]

    def show(self, pair: Pair) -> tuple[str, str]:
        return "\n\n".join(pair.gold), pair.predicted

    @classmethod
    def recognises(cls, value: Any) -> bool:
        return isinstance(value, dict) and isinstance(value.get("text"), str) and "sentences" in value


@functools.lru_cache(maxsize=65_536)
def _row(pair: Pair) -> list[float]:
    is_latin = _is_latin(" ".join(pair.gold))
    scorer = need("rouge_score.rouge_scorer", "ROUGE").RougeScorer(
        ROUGES, use_stemmer=True, tokenizer=None if is_latin else _UnicodeTokenizer()
    )
    found = scorer.score_multi([a_sentence_a_line(text) for text in pair.gold], a_sentence_a_line(pair.predicted))
    return [*(100 * found[name].fmeasure for name in ROUGES), float(len(_WORD.findall(pair.predicted)))]


def a_sentence_a_line(text: str) -> str:
    """The text with a line break after each sentence; as it stands where it has line breaks already."""
    return text if "\n" in text.strip() else "\n".join(_SENTENCE_END.split(text.strip()))


def _is_latin(text: str) -> bool:
    """Whether most letters are."""
    found = _LATIN_OR_NOT.findall(text)
    return 2 * sum(map(bool, found)) >= len(found)


class _UnicodeTokenizer:
    """What rouge-score calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())
