"""On a linear model every method is exact, and all say the same: each word's own part of the score."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmpipe_explain.component import METHODS
from mmpipe_explain.options import Options
from mmpipe_explain.target import Target
from mmpipe_explain.units import merge

from mmpipe.models.attribution import ReadText
from mmpipe.models.windows import Window

TEXT = "one two three four"
MASK = 9


class LinearProbe:
    """Logits are the sum, over tokens, of the embedding times a matrix."""

    kind, name, batch_tokens = "classifier", "linear", 8

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.table = torch.randn(10, 6, generator=generator)
        self.weights = torch.randn(6, 2, generator=generator)

    def token_id(self, kind: str) -> int:
        return MASK

    def embed(self, window: Window) -> torch.Tensor:
        return self.table[window.inputs["input_ids"]][None]

    def outputs_of(self, window: Window, embeddings: torch.Tensor) -> torch.Tensor:
        return (embeddings @ self.weights).sum(1)

    def outputs(self, windows: Sequence[Window], **options: Any) -> list[np.ndarray]:
        return [self.outputs_of(window, self.embed(window))[0].numpy() for window in windows]


@pytest.fixture
def target() -> Target:
    """[CLS] one two three, three four [SEP] in two windows that share a word, weighted 3 to 1."""
    starts, ends = np.array([0, 4, 8, 14]), np.array([3, 7, 13, 18])
    windows = (
        Window({"input_ids": [0, 1, 2, 3, 8]}, 3, range(0, 3), 1),
        Window({"input_ids": [0, 3, 4, 8]}, 1, range(2, 4), 1),
    )
    read = ReadText(windows, np.array([0.75, 0.25]), starts, ends)
    parts = tuple(zip(windows, (0.75, 0.25), strict=True))
    probe: Any = LinearProbe()
    return Target(probe, read, parts, lambda logits: logits[:, 0] - logits[:, 1], "a", 0.5)


def contributions(probe: LinearProbe, baseline: torch.Tensor | float) -> list[float]:
    """Of the four words: what each adds to the score in the windows that hold it."""
    of_token = (probe.table - baseline) @ (probe.weights[:, 0] - probe.weights[:, 1])
    one, two, three, four = of_token[1:5].tolist()
    return [0.75 * one, 0.75 * two, three, 0.25 * four]


@pytest.mark.parametrize(
    ("options", "token"),
    [
        (Options("integrated_gradients", n_steps=1, max_steps=1, tolerance=1e-4), MASK),
        (Options("integrated_gradients", baseline="zero", n_steps=1, max_steps=1, tolerance=1e-4), None),
        (Options("gradient_x_input"), None),
        (Options("occlusion"), MASK),
        (Options("occlusion", baseline="delete"), None),
    ],
    ids=lambda value: f"{value.method}, {value.baseline}" if isinstance(value, Options) else str(value),
)
def test_each_word_has_its_own_part(target: Target, options: Options, token: int | None) -> None:
    bounds = [(0, 3), (4, 7), (8, 13), (14, 18)]
    found = METHODS[options.method](target, merge(TEXT, bounds, target.read, target.pieces), options)
    probe: Any = target.probe
    wanted = contributions(probe, 0.0 if token is None else probe.table[token])
    assert found.weights == pytest.approx(wanted, abs=1e-5)
    direction = probe.weights[:, 0] - probe.weights[:, 1]
    special = float((probe.table[0] + probe.table[8]) @ direction)
    assert found.score == pytest.approx(sum(contributions(probe, 0.0)) + special, abs=1e-5)
    if options.method == "integrated_gradients":
        assert found.convergence_delta == pytest.approx(0, abs=1e-5) and found.n_steps == 1
        assert found.weights.sum() == pytest.approx(found.score - found.baseline_score, abs=1e-5)
    if options.method == "gradient_x_input":
        assert found.elsewhere == pytest.approx(special, abs=1e-5), "what special tokens add is not lost"


def test_pieces_are_summed_to_words(target: Target) -> None:
    whole = merge(TEXT, [(0, 7), (8, 18)], target.read, target.pieces)
    assert [(unit.start, unit.end, unit.pieces) for unit in whole] == [(0, 7, (0, 1)), (8, 18, (2, 3))]
    probe: Any = target.probe
    one, two, three, four = contributions(probe, probe.table[MASK])
    found = METHODS["integrated_gradients"](target, whole, Options(n_steps=1, max_steps=1))
    assert found.weights == pytest.approx([one + two, three + four], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "pieces", "bounds", "wanted"),
    [
        ("didn't go", [(0, 6), (6, 9)], [(0, 3), (3, 6), (7, 9)], ["didn't", "go"]),
        ("a\n\nb", [(0, 1), (1, 3), (3, 4)], [(0, 1), (1, 3), (3, 4)], ["a", "\n\n", "b"]),
        ("naïve", [(0, 2), (2, 3), (2, 3), (3, 5)], [], ["na", "ï", "ve"]),
        ("x y", [(0, 1), (1, 1), (1, 3)], [(0, 3)], ["x y"]),
        ("x y", [(0, 1), (1, 1), (2, 3)], [], ["x", "y"]),
        ("我喜欢", [(0, 1), (1, 3)], [(0, 1), (1, 2), (2, 3)], ["我", "喜欢"]),
        ("", [], [], []),
    ],
)
def test_units_hold_every_piece_once(
    text: str, pieces: list[tuple[int, int]], bounds: list[tuple[int, int]], wanted: list[str]
) -> None:
    starts, ends = np.array(pieces, dtype=np.int64).reshape(-1, 2).T
    units = merge(text, bounds, ReadText((), np.array([]), starts, ends), range(len(pieces)))
    assert [text[unit.start : unit.end] for unit in units] == wanted
    held = sorted(piece for unit in units for piece in unit.pieces)
    assert held == [index for index, (start, end) in enumerate(pieces) if start < end]


def test_a_namespace_is_enough_for_the_baseline_to_be_chosen() -> None:
    def probe(kind: str = "classifier", **ids: int) -> Any:
        return SimpleNamespace(kind=kind, name="m", token_id=ids.get)

    assert Options().baseline_of(probe(mask=3, pad=1)) == ("mask", 3)
    assert Options().baseline_of(probe(pad=1)) == ("pad", 1)
    assert Options().baseline_of(probe()) == ("zero", None)
    assert Options("occlusion").baseline_of(probe()) == ("delete", None)
