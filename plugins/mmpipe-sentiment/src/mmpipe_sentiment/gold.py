"""The gold of a classifier: `cats` of the reference document, as spaCy's own classifiers read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from spacy.training import Example

from mmpipe import RecordError
from mmpipe.learning import record_of


def gold_of(example: Example, prefix: str = "") -> dict[str, float]:
    """Label -> probability, 0 to 1: the `cats` that begin with the prefix, else the record's `label`; {} for none."""
    cats = {str(name): float(value) for name, value in example.reference.cats.items() if str(name).startswith(prefix)}
    if cats:
        return {name.removeprefix(prefix): value for name, value in cats.items()}
    label = record_of(example).get("label")
    return {} if label is None else {str(label): 1.0}


def find_labels(examples: Iterable[Example], prefix: str = "") -> list[str]:
    """Every label that stands in the gold, sorted."""
    return sorted({label for example in examples for label in gold_of(example, prefix)})


def targets(examples: Sequence[Example], labels: Sequence[str], prefix: str = "") -> np.ndarray:
    """The gold of examples in the order of the labels, float32, shape (n_examples, n_labels).

    Raises RecordError for a label that is not among them.
    """
    rows = [gold_of(example, prefix) for example in examples]
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
