"""Exact match and F1 of one answer, as SQuAD's official evaluation scripts, 1.1 and 2.0, define them.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text"; Rajpurkar et al. 2018, "Know What
You Don't Know". The two differ only in answers of which normalising leaves nothing: 2.0 takes them for "no answer".
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal

Version = Literal["1.1", "2.0"]
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and extra white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def exact(predicted: str, golds: Sequence[str], version: Version = "2.0") -> float:
    """1.0 where the prediction equals one of the gold answers once both are normalised; "" is no answer."""
    return float(any(normalise(predicted) == normalise(gold) for gold in _usable(golds, version)))


def f1(predicted: str, golds: Sequence[str], version: Version = "2.0") -> float:
    """The best F1 (0 to 1) of the words that the prediction shares with a gold answer; "" is no answer."""
    return max(_f1(normalise(predicted).split(), normalise(gold).split(), version) for gold in _usable(golds, version))


def _usable(golds: Sequence[str], version: Version) -> Sequence[str]:
    if version == "2.0":
        golds = [gold for gold in golds if normalise(gold)]
    return golds or [""]


def _f1(predicted: list[str], gold: list[str], version: Version) -> float:
    if version == "2.0" and not (predicted and gold):
        return float(predicted == gold)
    n_same = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * n_same / (len(predicted) + len(gold)) if n_same else 0.0
