"""The component: what each word did for a label, or for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.vocab import Vocab

from mmpipe import ModelError
from mmpipe.component import TransformerPipe
from mmpipe.document import set_extension
from mmpipe.models.attribution import Probe
from mmpipe_explain.answers import answer_targets
from mmpipe_explain.attribution import Attribution
from mmpipe_explain.classes import class_targets
from mmpipe_explain.gradients import gradient_x_input, integrated_gradients
from mmpipe_explain.occlusion import occlusion
from mmpipe_explain.options import Method, Options
from mmpipe_explain.target import Target
from mmpipe_explain.units import Stretch, stretches_of

METHODS: dict[Method, Callable[[Target, Sequence[Stretch], Options], Attribution]] = {
    "integrated_gradients": integrated_gradients,
    "gradient_x_input": gradient_x_input,
    "occlusion": occlusion,
}


class Explain(Pipe):
    """Writes `doc._.explanations`, a list with a dict for each label and each answer that it explains.

    Each is {component, method, baseline, target, against, question, start, end, probability, score,
    baseline_score, convergence_delta, n_steps, elsewhere, coverage, tokens}: target the label, or the text of the
    answer from start to end (None where none was given), whose score (a logit, a difference of two, or the sum of a
    start and an end logit) the tokens, {start, end, text, weight}, share between them; offsets in characters. coverage
    is the share of the text that was explained (0 to 1). See mmpipe_explain.attribution for the figures.

    pipes: the components that are explained. options: see there.
    labels: the labels of classifiers that are explained, probable or not; None: the most probable one.
    min_score: leave out what has a lower probability, 0 to 1.
    field: the name of the `doc._` extension.
    Raises ConfigError for a field that cannot stand there.
    """

    result_type: ClassVar[Any] = [
        {
            "component": "string",
            "method": "string",
            "baseline": "string",
            "target": "string",
            "against": "string",
            "question": "string",
            "start": "int",
            "end": "int",
            "probability": "float",
            "score": "float",
            "baseline_score": "float",
            "convergence_delta": "float",
            "n_steps": "int",
            "elsewhere": "float",
            "coverage": "float",
            "tokens": "json",
        }
    ]

    def __init__(
        self,
        vocab: Vocab,
        name: str,
        pipes: Sequence[TransformerPipe],
        options: Options,
        *,
        labels: Sequence[str] | None = None,
        min_score: float = 0.0,
        field: str = "explanations",
    ) -> None:
        self.vocab, self.name = vocab, name
        self.options, self.chosen_labels, self.min_score, self.field = options, labels, min_score, field
        self._probes = [(pipe, Probe(pipe.model)) for pipe in pipes]
        set_extension(field)

    def __call__(self, doc: Doc) -> Doc:
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream, in order. Only a document that fails goes to the error handler, alone."""
        for doc in stream:
            try:
                self(doc)
            except ModelError:
                raise  # No document is to blame.
            except Exception as error:
                self.get_error_handler()(self.name, self, [doc], error)
            else:
                yield doc

    def predict(self, docs: Iterable[Doc]) -> list[list[dict[str, Any]]]:
        """The explanations of each document, one document at a time: what is batched are its own variants."""
        return [[self._explained(doc, pipe, target) for pipe, target in self._targets(doc)] for doc in docs]

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[list[dict[str, Any]]]) -> None:
        for doc, prediction in zip(docs, predictions, strict=True):
            doc._.set(self.field, prediction)

    def _targets(self, doc: Doc) -> Iterator[tuple[TransformerPipe, Target]]:
        for pipe, probe in self._probes:
            if probe.kind == "extractor":
                targets = answer_targets(pipe, probe, doc, min_score=self.min_score)
            else:
                targets = class_targets(
                    pipe,
                    probe,
                    doc,
                    labels=self.chosen_labels,
                    min_score=self.min_score,
                    score=self.options.score,
                    where=f"components.{self.name}",
                )
            yield from ((pipe, target) for target in targets)

    def _explained(self, doc: Doc, pipe: TransformerPipe, target: Target) -> dict[str, Any]:
        units = stretches_of(doc, self.options.unit, target.read, target.pieces)
        found = METHODS[self.options.method](target, units, self.options)
        if not np.isfinite(found.weights).all():
            raise ModelError(f"{pipe.name!r} gives gradients that are no numbers", next_step='set method = "occlusion"')
        text = doc.text
        return {
            "component": pipe.name,
            "method": self.options.method,
            "baseline": self.options.baseline_of(target.probe)[0],
            "target": target.name,
            "against": target.against,
            "question": target.question,
            "start": target.start,
            "end": target.end,
            "probability": target.probability,
            "score": found.score,
            "baseline_score": found.baseline_score,
            "convergence_delta": found.convergence_delta,
            "n_steps": found.n_steps,
            "elsewhere": found.elsewhere,
            "coverage": target.coverage,
            "tokens": [
                {"start": unit.start, "end": unit.end, "text": text[unit.start : unit.end], "weight": float(weight)}
                for unit, weight in zip(units, found.weights, strict=True)
            ],
        }
