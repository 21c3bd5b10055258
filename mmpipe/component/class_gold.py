"""The gold of a component that learns to classify: `cats` of the reference document, as spaCy's own ones read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from spacy.training import Example

from mmpipe.errors import RecordError
from mmpipe.learning import record_of


def gold_of(example: Example, prefix: str = "") -> dict[str, float] | None:
    """Label -> probability, 0 to 1: the `cats` that begin with the prefix, else the record's `label`; None for no gold.

    A record's `label` is a label, a list of those that hold (of which there may be none), or a dict of probabilities.
    """
    cats = {str(name): float(value) for name, value in example.reference.cats.items() if str(name).startswith(prefix)}
    if cats:
        return {name.removeprefix(prefix): value for name, value in cats.items()}
    label = record_of(example).get("label")
    if isinstance(label, Mapping):
        return {str(name): float(share) for name, share in label.items()}
    if isinstance(label, list | tuple):
        return {str(name): 1.0 for name in label}
    return None if label is None else {str(label): 1.0}


def find_labels(examples: Iterable[Example], prefix: str = "") -> list[str]:
    """Every label that stands in the gold, sorted."""
    return sorted({label for example in examples for label in gold_of(example, prefix) or ()})


def targets(examples: Sequence[Example], labels: Sequence[str], prefix: str = "") -> np.ndarray:
    """The gold of examples in the order of the labels, float32, shape (n_examples, n_labels); zeros without gold.

    Raises RecordError for a label that is not among them.
    """
    rows = [gold_of(example, prefix) or {} for example in examples]
    for example, row in zip(examples, rows, strict=True):
        if unknown := [label for label in row if label not in labels]:
            record = record_of(example)
            raise RecordError(
                f"the label {unknown[0]!r} is none of the model's: {', '.join(labels)}",
                where=f"record {record['id']!r}" if "id" in record else f"text {example.reference.text[:40]!r}",
                next_step="map it to one of them with `values` of the corpus, or list all labels in "
                "[initialize.components.<name>]",
            )
    return np.array([[row.get(label, 0.0) for label in labels] for row in rows], dtype=np.float32)
