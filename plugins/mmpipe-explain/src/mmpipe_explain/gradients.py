"""Methods that follow gradients with respect to the embeddings of tokens, both by captum.

The gradient times the input (Shrikumar et al. 2016, "Not Just a Black Box") is exact for a linear model only.
Integrated gradients (Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks") follow a straight line
from a baseline to the text; what they give the words sums to the difference of the two scores.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmpipe.models.attribution import with_tokens
from mmpipe.models.windows import Window
from mmpipe_explain.attribution import Attribution
from mmpipe_explain.options import Options
from mmpipe_explain.target import Target
from mmpipe_explain.units import Stretch

logger = logging.getLogger("mmpipe")


def gradient_x_input(target: Target, units: Sequence[Stretch], options: Options) -> Attribution:
    """Each embedding times the gradient of the score there, summed over its width."""
    from captum.attr import InputXGradient  # brings matplotlib

    sums, score = _Sums(len(target.read.starts)), 0.0
    with torch.inference_mode(False), torch.enable_grad():
        for window, share in target.parts:
            function = _Function(target, window)
            given = target.probe.embed(window)
            score += share * function.value(given)
            sums.add(InputXGradient(function).attribute(given.clone().requires_grad_()), window, share)
    return Attribution(*sums.of(units), score)


def integrated_gradients(target: Target, units: Sequence[Stretch], options: Options) -> Attribution:
    """Integrated gradients along the line on which the text's embeddings come to be; special tokens, a question and
    positions are there from the beginning.

    Steps are doubled, window by window, until the sum is right within the tolerance; a sum that is not is logged.
    """
    from captum.attr import IntegratedGradients  # brings matplotlib

    sums, score, baseline_score, delta, n_steps = _Sums(len(target.read.starts)), 0.0, 0.0, 0.0, 0
    budget = options.batch_tokens or target.probe.batch_tokens
    with torch.inference_mode(False), torch.enable_grad():
        for window, share in target.parts:
            function = _Function(target, window)
            given, baseline = target.probe.embed(window), _baseline(target, window, options)
            whole, empty = function.value(given), function.value(baseline)
            steps = options.n_steps
            while True:
                found = IntegratedGradients(function).attribute(
                    given, baseline, n_steps=steps, internal_batch_size=max(1, budget // len(window))
                )
                off = float(found.double().sum()) - (whole - empty)
                if abs(off) <= options.tolerance or 2 * steps > options.max_steps:
                    break
                steps *= 2
            sums.add(found, window, share)
            score, baseline_score = score + share * whole, baseline_score + share * empty
            delta, n_steps = delta + share * off, max(n_steps, steps)
    if abs(delta) > options.tolerance:
        logger.warning(
            "integrated gradients of %r sum to %.4g more than the difference of the scores, after %d steps; "
            "raise max_steps, or tolerance (%g)",
            target.name,
            delta,
            n_steps,
            options.tolerance,
        )
    return Attribution(*sums.of(units), score, baseline_score, delta, n_steps)


class _Function:
    """The score of a window as a function of its embeddings: (n, length, width) to (n,)."""

    def __init__(self, target: Target, window: Window) -> None:
        self.target, self.window = target, window

    def __call__(self, embeddings: Tensor) -> Tensor:
        return self.target.score(self.target.probe.outputs_of(self.window, embeddings))

    def value(self, embeddings: Tensor) -> float:
        with torch.no_grad():
            return float(self(embeddings)[0])


class _Sums:
    """What the pieces of a text were given in all windows, and what stands on no piece of it."""

    def __init__(self, n_pieces: int) -> None:
        self.by_piece, self.elsewhere = np.zeros(n_pieces), 0.0

    def add(self, found: Tensor, window: Window, share: float) -> None:
        """found: shape (1, length, width)."""
        by_place = share * found[0].detach().double().sum(-1).cpu().numpy()
        own = by_place[window.place : window.place + len(window.pieces)]
        self.by_piece[window.pieces.start : window.pieces.stop] += own
        self.elsewhere += float(by_place.sum() - own.sum())

    def of(self, units: Sequence[Stretch]) -> tuple[np.ndarray, float]:
        """The sum over each unit, and over all that is in none."""
        weights = np.array([self.by_piece[list(unit.pieces)].sum() for unit in units])
        return weights, self.elsewhere + float(self.by_piece.sum() - weights.sum())


def _baseline(target: Target, window: Window, options: Options) -> Tensor:
    name, token_id = options.baseline_of(target.probe)
    places = range(window.place, window.place + len(window.pieces))
    if name != "zero":
        return target.probe.embed(with_tokens(window, places, token_id))
    embeddings = target.probe.embed(window).clone()
    embeddings[:, places.start : places.stop] = 0.0
    return embeddings
