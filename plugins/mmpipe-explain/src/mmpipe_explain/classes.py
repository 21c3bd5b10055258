"""What is explained of a classifier: its score for a label, over all windows of the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc

from mmpipe import ModelError
from mmpipe.component import TransformerPipe
from mmpipe.models.attribution import Probe
from mmpipe_explain.options import Score
from mmpipe_explain.target import Target


def class_targets(
    pipe: TransformerPipe,
    probe: Probe,
    doc: Doc,
    *,
    labels: Sequence[str] | None,
    min_score: float,
    score: Score,
    where: str,
) -> Iterator[Target]:
    """The scores of the wanted labels, or of the most probable one, whose probability is at least min_score.

    None for a text with nothing to read. Raises ModelError, naming the section `where`, for a label that the
    model does not have.
    """
    (found,) = pipe.model.predict([doc.text])
    if found.probabilities is None:
        return
    names = probe.labels
    unknown = [label for label in labels or () if label not in names]
    if unknown:
        raise ModelError(
            f"{pipe.name!r} has no label {unknown[0]!r}",
            where=f"{where}.labels",
            next_step=f"its labels are {', '.join(names)}",
        )
    chosen = [int(np.argmax(found.probabilities))] if labels is None else [names.index(label) for label in labels]
    read = probe.read(doc.text)
    parts = tuple(zip(read.windows, read.shares.tolist(), strict=True))
    for index in chosen:
        if found.probabilities[index] < min_score:
            continue
        others = [other for other in range(len(names)) if other != index]
        is_margin = score == "margin" and probe.has_exclusive_labels and others
        rival = max(others, key=lambda other: found.logits[other]) if is_margin else None
        yield Target(
            probe,
            read,
            parts,
            logit_of(index, rival),
            names[index],
            float(found.probabilities[index]),
            against=None if rival is None else names[rival],
        )


def logit_of(index: int, rival: int | None) -> Callable[[Any], Any]:
    """From logits, shape (n, n_labels), to one of them, or to how far it is above another."""
    if rival is None:
        return lambda logits: logits[:, index]
    return lambda logits: logits[:, index] - logits[:, rival]
