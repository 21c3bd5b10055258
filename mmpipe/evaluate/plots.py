"""Charts drawn with matplotlib, as SVG or PNG in a data URI."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from mmpipe.metrics.extras import need

# Readable on light and on dark ground: Okabe and Ito 2008, without black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b09a00", "#888888", "#9467bd", "#8c564b")
_INK = "#808080"
MAX_CELLS_WITH_NUMBERS = 12


def draw(chart: Mapping[str, Any]) -> str:
    """A chart (see mmpipe.metrics.charts.Chart, as a dict) as the data URI of an SVG without a background.

    Raises MmpipeError where matplotlib is not installed.
    """
    need("matplotlib", "a report with plots", "plots")
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Text as shapes: no font is asked of the reader's machine. A fixed salt: equal charts are equal bytes.
    settings = {"svg.hashsalt": "mmpipe", "svg.fonttype": "path", "text.parse_math": False, "font.size": 10}
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK)
    with rc_context({**settings, **colours}):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        figure.patch.set_alpha(0)
        canvas = FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.set_facecolor("none")
        _DRAWERS[chart["kind"]](axes, chart)
        axes.set_xlabel(chart["x_label"] if chart["kind"] != "matrix" else chart["y_label"])
        axes.set_ylabel(chart["y_label"] if chart["kind"] != "matrix" else chart["x_label"])
        written = io.BytesIO()
        canvas.print_svg(written, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode("ascii")


def _lines(axes: Any, chart: Mapping[str, Any]) -> None:
    if chart["has_diagonal"]:
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle="--")
    for (name, series), colour in zip(chart["series"].items(), _cycle(), strict=False):
        marker = "o" if len(series["x"]) <= 20 else None
        axes.plot(series["x"], series["y"], color=colour, label=_short(name), marker=marker, markersize=4)
    _legend(axes, chart)


def _bars(axes: Any, chart: Mapping[str, Any]) -> None:
    for (name, series), colour in zip(chart["series"].items(), _cycle(), strict=False):
        axes.stairs(series["y"], series["x"], fill=True, alpha=0.45, color=colour, label=_short(name))
    _legend(axes, chart)


def _matrix(axes: Any, chart: Mapping[str, Any]) -> None:
    counts, names = chart["matrix"], [_short(name) for name in chart["names"]]
    most = max(map(max, counts)) or 1
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=most)
    axes.set_xticks(
        range(len(names)), names, rotation=45 if len(names) > 4 else 0, ha="right" if len(names) > 4 else "center"
    )
    axes.set_yticks(range(len(names)), names)
    for row, cells in enumerate(counts if len(names) <= MAX_CELLS_WITH_NUMBERS else []):
        for column, count in enumerate(cells):
            colour = "white" if count > most / 2 else "#333333"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)


_DRAWERS = {"lines": _lines, "bars": _bars, "matrix": _matrix}


def _legend(axes: Any, chart: Mapping[str, Any]) -> None:
    if len(chart["series"]) > 1 or chart["has_diagonal"]:
        axes.legend(frameon=False, fontsize=8)


def _cycle() -> Any:
    import itertools

    return itertools.cycle(COLOURS)


def _short(name: str) -> str:
    # A leading underscore would keep a name out of the legend.
    name = f" {name}" if name.startswith("_") else name
    return name if len(name) <= 28 else name[:27] + "…"
