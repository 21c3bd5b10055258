"""Fitting the temperature of a pipeline's classifiers on a dev set, and keeping it with them.

Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from spacy.language import Language

from mmpipe.component import TransformerPipe
from mmpipe.errors import ConfigError
from mmpipe.evaluate.judge import Verdict
from mmpipe.metrics.calibration import (
    HIGHEST,
    LOWEST,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)
from mmpipe.metrics.classification import Classification
from mmpipe.metrics.rates import Table, confidence, tabulate


@dataclass(frozen=True)
class Calibration:
    """What became of one component.

    before, after: its temperature. ece_before, ece_after: 0 to 1, 15 bins; log_loss_before, log_loss_after: nats;
    all on the records that it was fitted on. n_records: so many.
    """

    component: str
    n_records: int
    before: float
    after: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float


def calibrate(nlp: Language, verdict: Verdict) -> list[Calibration]:
    """Fit and set the temperature of each classifier that the verdict is on; `nlp.to_disk` then keeps it.

    Raises ConfigError where the verdict has no classifier with a temperature, or no temperature fits its gold.
    """
    found = [
        _calibrate(nlp, judged.task.name, pipe, tabulate(judged.pairs))
        for judged in verdict.judgements
        if judged.task.name in nlp.pipe_names
        for pipe in [nlp.get_pipe(judged.task.name)]
        if isinstance(judged.task.metric, Classification) and has_temperature(pipe)
    ]
    if not found:
        raise ConfigError(
            f"no component with a temperature has gold here: {', '.join(nlp.pipe_names)}",
            next_step="calibrate a pipeline with a mmpipe.SequenceClassifier.v1; name its gold with --gold NAME=KEY",
        )
    return found


def has_temperature(pipe: object) -> bool:
    """Whether a component's model divides its logits by a temperature."""
    return isinstance(pipe, TransformerPipe) and "temperature" in pipe.model.attrs


def _calibrate(nlp: Language, name: str, pipe: TransformerPipe, table: Table) -> Calibration:
    # A text with nothing to read has no probabilities to calibrate.
    table = table.take(np.flatnonzero(table.probabilities.any(axis=1)))
    before = float(pipe.model.attrs["temperature"] or 1.0)
    # What the model divides by it: a softmax's logits stay a softmax's where gold is written as lists.
    is_independent = bool(np.abs(table.probabilities.sum(axis=1) - 1).max(initial=0) > 1e-3)
    factor = fit_temperature(table.probabilities, table.is_gold, is_independent=is_independent)
    if not len(table.probabilities) or min(factor / LOWEST, HIGHEST / factor) < 1.01:
        raise ConfigError(
            f"no temperature between {LOWEST:g} and {HIGHEST:g} times the present one fits best",
            where=name,
            next_step="use a dev set of hundreds of records, some right and some wrong",
        )
    after = round(before * factor, 6)  # The digits that a saved pipeline keeps.
    warm = Table(
        table.labels,
        table.is_gold,
        table.is_predicted,
        with_temperature(table.probabilities, after / before, is_independent=is_independent),
        table.is_multi_label,
    )
    pipe.model.attrs["temperature"] = after
    block = nlp.get_pipe_config(name).get("model", {})
    if block.get("temperature") is not None:
        block["temperature"] = after  # What the config names wins over what is saved.
    eces = [expected_calibration_error(*confidence(one)) for one in (table, warm)]
    losses = [
        negative_log_likelihood(one.probabilities, one.is_gold, is_independent=is_independent) for one in (table, warm)
    ]
    return Calibration(name, len(table.is_gold), before, after, *eces, *losses)


def listed(found: Sequence[Calibration]) -> str:
    """A line for each component."""
    return "\n".join(
        f"{one.component}: temperature {one.before:.4g} -> {one.after:.4g} on {one.n_records:,} records; "
        f"expected calibration error {one.ece_before:.3f} -> {one.ece_after:.3f}, "
        f"log loss {one.log_loss_before:.3f} -> {one.log_loss_after:.3f}"
        for one in found
    )
