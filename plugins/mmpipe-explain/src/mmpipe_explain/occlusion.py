"""Occlusion: a unit is covered or deleted, the model reads the rest, and the difference of the scores is its weight.

Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks"; for words Li, Monroe & Jurafsky 2016,
"Understanding Neural Networks through Representation Erasure".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmpipe.models.attribution import with_tokens
from mmpipe_explain.attribution import Attribution
from mmpipe_explain.options import Options
from mmpipe_explain.target import Target
from mmpipe_explain.units import Stretch


def occlusion(target: Target, units: Sequence[Stretch], options: Options) -> Attribution:
    """The score less what it is without each unit, in every window that holds some of it.

    Windows stay where they were, and keep their shares, when a unit is deleted.
    """
    _, token_id = options.baseline_of(target.probe)
    unit_of = {piece: index for index, unit in enumerate(units) for piece in unit.pieces}
    weights, total = np.zeros(len(units)), 0.0
    for window, share in target.parts:
        places: dict[int, list[int]] = {}
        for place, piece in enumerate(window.pieces, start=window.place):
            if piece in unit_of:
                places.setdefault(unit_of[piece], []).append(place)
        variants = [with_tokens(window, covered, token_id) for covered in places.values()]
        rows = target.probe.outputs([window, *variants], batch_tokens=options.batch_tokens)
        whole, *without = (float(target.score(row[None])[0]) for row in rows)
        total += share * whole
        weights[list(places)] += share * (whole - np.array(without))
    return Attribution(weights, 0.0, total)
