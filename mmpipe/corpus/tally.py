"""What a run's results hold, counted as they pass: labels, scores, coverage, and some records to show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

N_BINS = 20
_MOST_LABELS, _MOST_EXAMPLES = 200, 40


class Tally:
    """Takes results one by one, in memory that does not grow with them.

    n_results: taken so far. labels: field -> label -> how many. scores: field -> counts in N_BINS equal bins from 0 to
    1. partly_read: field -> results whose coverage is below 1. examples: results from all over the run.
    """

    def __init__(self) -> None:
        self.n_results = 0
        self.labels: dict[str, Counter[str]] = defaultdict(Counter)
        self.scores: dict[str, list[int]] = defaultdict(lambda: [0] * N_BINS)
        self.partly_read: Counter[str] = Counter()
        self.examples: list[Mapping[str, Any]] = []
        self._stride = 1

    def add(self, result: Mapping[str, Any]) -> None:
        for field, found in results_in(result):
            label, score, coverage = found.get("label"), found.get("score"), found.get("coverage")
            if isinstance(label, str) and (label in self.labels[field] or len(self.labels[field]) < _MOST_LABELS):
                self.labels[field][label] += 1
            if isinstance(score, float | int) and 0 <= score <= 1:
                self.scores[field][min(int(score * N_BINS), N_BINS - 1)] += 1
            self.partly_read[field] += isinstance(coverage, float | int) and coverage < 1
        if self.n_results % self._stride == 0:
            self.examples.append(result)
            if len(self.examples) > 2 * _MOST_EXAMPLES:
                self.examples = self.examples[::2]
                self._stride *= 2
        self.n_results += 1


def results_in(result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What components wrote, by field: dicts with a score or a coverage, alone or in lists."""
    for field, value in result.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping) and not {"score", "coverage"}.isdisjoint(one):
                yield field, one
