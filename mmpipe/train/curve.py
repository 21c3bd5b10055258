"""The learning curve: losses and scores by step, as a picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger("mmpipe")


def draw(rows: Sequence[dict[str, Any]], file: Path) -> bool:
    """Draw the rows of `training.csv` into a PNG file. False, and a log line, where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        logger.info("no learning curve: pip install 'mmpipe[plots]' draws one")
        return False
    steps = [row["step"] for row in rows]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    for index, name in enumerate(dict.fromkeys(key for row in rows for key in row if key.startswith("loss_"))):
        values = [row.get(name) for row in rows]
        left.plot(steps, values, color=f"C{index}", linestyle="--", label=name.replace("_", " ", 1))
    left.set(xlabel="step", ylabel="mean loss of an update (dashed)")
    right = left.twinx()
    scores = [row["score"] for row in rows]
    best = max(range(len(rows)), key=lambda i: scores[i])
    right.plot(steps, scores, color="black", marker=".", label="score")
    right.plot(steps[best], scores[best], "o", color="black", label=f"best: {scores[best]:.4f} at step {steps[best]}")
    right.set_ylabel("score")
    handles = [handle for axes in (left, right) for handle in axes.get_legend_handles_labels()[0]]
    right.legend(handles=handles, loc="center right", frameon=False)
    figure.savefig(file, dpi=120)
    return True
