"""What a metric asks a report to draw, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Series:
    """One line, or the bars of one histogram. x: the points; of bars, the edges, one more than y."""

    x: list[float]
    y: list[float]


@dataclass(frozen=True)
class Chart:
    """A drawing.

    kind: "lines", "bars" (histograms, one series laid over another), or "matrix" (counts; rows are x_label).
    series: by name, for lines and bars. has_diagonal: also draw y = x, from 0 to 1.
    matrix, names: the cells, shape (n_names, n_names), and what rows and columns are called.
    """

    kind: Literal["lines", "bars", "matrix"]
    title: str
    x_label: str
    y_label: str
    series: dict[str, Series] = field(default_factory=dict)
    has_diagonal: bool = False
    matrix: list[list[int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def line(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, most: int = 200) -> Series:
    """A line of at most `most` points, the first and last among them."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(most, len(x))).round().astype(int))
    return Series(np.asarray(x, dtype=float)[chosen].tolist(), np.asarray(y, dtype=float)[chosen].tolist())


def histogram(
    title: str, x_label: str, values: Mapping[str, np.ndarray], *, n_bins: int = 20, y_label: str = "number"
) -> Chart:
    """Histograms of several samples over the same bins; empty samples are left out."""
    samples = {name: np.asarray(sample, dtype=float) for name, sample in values.items() if len(sample)}
    low, high = (bound([bound(sample) for sample in samples.values()]) for bound in (np.min, np.max))
    edges = np.linspace(low, high if high > low else low + 1, n_bins + 1)
    series = {
        name: Series(edges.tolist(), np.histogram(sample, edges)[0].astype(float).tolist())
        for name, sample in samples.items()
    }
    return Chart("bars", title, x_label, y_label, series)
