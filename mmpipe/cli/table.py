"""A table on standard output, line by line what rich's `Table(box=None, pad_edge=False)` prints.

Importing rich's console and printing with it would add more than a third to the time of `mmpipe plugins list`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import zip_longest

import typer

_WORD = re.compile(r"\s*\S+\s*")
_NOT_PRINTED = dict.fromkeys(map(ord, "\a\b\v\f\r"))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of as many cells as the head has; a cell may have several lines. The head is bold on a terminal."""
    above, below = table_lines(head, rows, _terminal_width())
    if _is_styled():
        above = [typer.style(line, bold=True) for line in above]
    print(*above, *below, sep="\n")


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], list[str]]:
    """The lines of the head and those of the rows. What has no room in `width` columns of a terminal is folded."""
    cells = [[_printed(cell) for cell in row] for row in (head, *rows)]
    # Two spaces between columns: one belongs to that on the left, one to that on the right.
    spaces = [(index > 0) + (index < len(head) - 1) for index in range(len(head))]
    columns = zip(*cells, strict=True)
    needed = [max(_width(line) for cell in column for line in cell) for column in columns]
    fitted = _fitted([min(a + b, width) for a, b in zip(needed, spaces, strict=True)], width)
    widths = [max(1, a - b) for a, b in zip(fitted, spaces, strict=True)]
    blocks = []
    for row in cells:
        folded = [[part for line in cell for part in _folded(line, n)] for cell, n in zip(row, widths, strict=True)]
        if row is cells[0]:  # A head stands at the bottom, above what it names.
            height = max(map(len, folded))
            folded = [[""] * (height - len(cell)) + cell for cell in folded]
        lines = zip_longest(*folded, fillvalue="")
        blocks.append(["  ".join(map(_padded, line, widths)) for line in lines])
    return blocks[0], [line for block in blocks[1:] for line in block]


def _printed(cell: str) -> list[str]:
    return [line.expandtabs() for line in cell.translate(_NOT_PRINTED).split("\n")]


def _fitted(widths: list[int], total: int) -> list[int]:
    """The widths, where they are too large together, with the widest cut to the next, and so on."""
    widths = list(widths)
    while (excess := sum(widths) - total) > 0 and (widest := max(widths)) > 0:
        tied = [index for index, width in enumerate(widths) if width == widest]
        step = min(excess, widest - max((width for width in widths if width != widest), default=0))
        for n_left, index in zip(range(len(tied), 0, -1), tied, strict=True):
            cut = min(step, round(excess / n_left))
            widths[index] -= cut
            excess -= cut
    return widths


def _folded(line: str, width: int) -> list[str]:
    """The line in pieces of that width, between words where it can be."""
    done, piece = [], ""
    for word in _WORD.findall(line):
        needed = _width(word.rstrip())
        if needed <= width - _width(piece):
            piece += word
            continue
        if piece:
            done.append(piece)
        *whole, piece = _chopped(word, width) if needed > width else [word]
        done += whole
    return [*done, piece]


def _padded(text: str, width: int) -> str:
    text = text.rstrip()
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # Names and messages are ASCII, nearly always.

    return cell_len(text)


def _chopped(word: str, width: int) -> list[str]:
    if word.isascii():
        return [word[start : start + width] for start in range(0, len(word), width)]
    from rich.cells import chop_cells

    return chop_cells(word, width)


def _terminal_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    for stream in (0, 1, 2):
        try:
            width = os.get_terminal_size(stream).columns
        except OSError:
            continue
        if width:
            return width
    return 80


def _is_styled() -> bool:
    """Whether standard output understands escape sequences, by the variables that rich asks."""
    environ = os.environ
    # An older console of Windows has to be asked for them in its own way.
    if os.name == "nt" or environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    if environ.get("TTY_COMPATIBLE") in ("0", "1"):
        return environ["TTY_COMPATIBLE"] == "1"
    return environ["FORCE_COLOR"] != "" if "FORCE_COLOR" in environ else sys.stdout.isatty()
