"""Which labels a text is given, from the scores of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmpipe import ConfigError

Threshold = float | dict[str, float] | None
"""The least score (0 to 1) of a label that is given: one for all, or by label. None, and a label that it leaves out:
0.5 where a text may have several labels, else 0."""


def choose(scores: Mapping[str, float], threshold: Threshold, top_k: int | None, *, is_multi_label: bool) -> list[str]:
    """The labels whose score reaches the threshold, the best first.

    top_k: give at most so many; None is all where a text may have several labels, else one.
    """
    usual = 0.5 if is_multi_label else 0.0
    least = threshold if isinstance(threshold, Mapping) else {}
    common = usual if threshold is None or isinstance(threshold, Mapping) else threshold
    ranked = sorted(scores, key=lambda label: -scores[label])
    most = top_k or (len(ranked) if is_multi_label else 1)
    return [label for label in ranked if scores[label] >= least.get(label, common)][:most]


def check_choice(threshold: Threshold, top_k: int | None, where: str) -> None:
    """Raises ConfigError for a threshold that is no score, or a top_k below 1."""
    values = threshold.values() if isinstance(threshold, Mapping) else [] if threshold is None else [threshold]
    for value in values:
        if not 0 <= value <= 1:
            raise ConfigError(
                f"a threshold is a score from 0 to 1, got {value!r}", where=f"{where}.threshold", next_step="set 0.5"
            )
    if top_k is not None and top_k < 1:
        raise ConfigError(
            f"top_k must be at least 1, got {top_k}", where=f"{where}.top_k", next_step="leave it out for the usual"
        )


def check_names(threshold: Threshold, labels: Iterable[str], where: str) -> None:
    """Raises ConfigError for a threshold of a label that is not there."""
    known = list(labels)
    unknown = [name for name in threshold if name not in known] if isinstance(threshold, Mapping) else []
    if unknown:
        raise ConfigError(
            f"there is no label {unknown[0]!r}",
            where=f"{where}.threshold",
            next_step=f"the labels are {', '.join(known)}",
        )
