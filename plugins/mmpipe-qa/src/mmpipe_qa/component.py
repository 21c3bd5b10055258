"""The component: answers to questions, each a stretch of the document, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import torch
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe import ConfigError
from mmpipe.component import TransformerPipe
from mmpipe.document import record_of
from mmpipe.models import span_extractor
from mmpipe.models.answer import Answers, Compare, find_answers
from mmpipe_qa.asked import gold_of, questions_of, unique


class QuestionAnswering(TransformerPipe):
    """Writes `doc._.answers`, a list with a dict for each question, in the order they are asked, and `doc.spans`.

    Each is {question, text, start, end, score, no_answer_score, coverage, is_span}: offsets in characters of the
    document; text, start and end None where there is no answer; score the probability (0 to 1) of the best answer,
    be it given or not; no_answer_score that of there being none; coverage the share of the text that the model read
    (0 to 1); is_span whether the answer begins and ends where tokens do, and so stands in `doc.spans[spans_key]`.

    questions: asked of every document; the record's `question` and `questions` follow. Each is asked once.
    top_k: with more than 1, `alternatives` holds the other answers of the top_k best, {text, start, end, score}, best
        first; an answer that was not given comes first among them.
    no_answer_threshold: an answer is given where no_answer_score (0 to 1) is at most this; "auto" takes the number
        from the checkpoint's config.json, and always answers where there is none, as None does.
    max_answer_tokens, align_to_words, compare: see mmpipe.models.answer.find_answers.
    spans_key: the key of `doc.spans` that answers go to.
    field, save_weights: see TransformerPipe.
    Raises ConfigError for a blank question.
    """

    metric = "qa"
    result_type: ClassVar[Any] = [
        {
            "question": "string",
            "text": "string",
            "start": "int",
            "end": "int",
            "score": "float",
            "no_answer_score": "float",
            "coverage": "float",
            "is_span": "bool",
            "alternatives": "json",
        }
    ]

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "qa",
        *,
        questions: Sequence[str] = (),
        field: str = "answers",
        top_k: int = 1,
        max_answer_tokens: int = 15,
        no_answer_threshold: float | Literal["auto"] | None = "auto",
        align_to_words: bool = True,
        compare: Compare = "no_answer",
        spans_key: str = "answers",
        save_weights: bool = True,
    ) -> None:
        for index, question in enumerate(questions):
            if not question.strip():
                raise ConfigError(
                    "a blank question", where=f"components.{name}.questions.{index}", next_step="remove it"
                )
        super().__init__(
            vocab,
            model,
            name,
            field=field,
            save_weights=save_weights,
            questions=unique(questions),
            top_k=top_k,
            max_answer_tokens=max_answer_tokens,
            no_answer_threshold=no_answer_threshold,
            align_to_words=align_to_words,
            compare=compare,
            spans_key=spans_key,
        )

    def has_gold(self, example: Example) -> bool:
        return bool(gold_of(record_of(example.reference), example.reference.text))

    def loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """See mmpipe.models.span_extractor.loss: the mean over all questions that the examples' records answer."""
        asked = [
            (question, example.reference.text, spans)
            for example in examples
            for question, spans in gold_of(record_of(example.reference), example.reference.text)
        ]
        questions, contexts, spans = zip(*asked, strict=True)
        return span_extractor.loss(self.model, questions, contexts, spans)

    def predict(self, docs: Iterable[Doc]) -> list[dict[str, Answers]]:
        """The answers to each document's questions, by question."""
        docs = list(docs)
        asked = [questions_of(record_of(doc), self.cfg["questions"]) for doc in docs]
        texts = [doc.text for doc in docs]
        pairs = [(question, text) for text, of_doc in zip(texts, asked, strict=True) for question in of_doc]
        options = {key: self.cfg[key] for key in ("top_k", "max_answer_tokens", "align_to_words", "compare")}
        # The logits of a batch of long documents take much more memory than the answers.
        groups = span_extractor.groups(pairs)
        found = (find_answers(logits, **options) for group in groups for logits in self.model.predict(group))
        return [{question: next(found) for question in of_doc} for of_doc in asked]

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[dict[str, Answers]]) -> None:
        key = self.cfg["spans_key"]
        for doc, prediction in zip(docs, predictions, strict=True):
            results, spans = [], []
            for question, answers in prediction.items():
                result, span = self._result(doc, question, answers)
                results.append(result)
                spans += [] if span is None else [span]
            given = [result for result in results if result["is_span"]]
            attrs = {"questions": [r["question"] for r in given], "scores": [r["score"] for r in given]}
            doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=spans)
            doc._.set(self.field, results)

    @property
    def threshold(self) -> float:
        """The highest no_answer_score with which an answer is still given."""
        wanted = self.cfg["no_answer_threshold"]
        wanted = span_extractor.no_answer_threshold(self.model) if wanted == "auto" else wanted
        return 1.0 if wanted is None else wanted

    def _result(self, doc: Doc, question: str, answers: Answers) -> tuple[dict[str, Any], Span | None]:
        text = doc.text
        found = [
            {"text": text[c.start : c.end], "start": c.start, "end": c.end, "score": c.score}
            for c in answers.candidates
        ]
        is_given = bool(found) and answers.no_answer_score <= self.threshold
        best = found[0] if is_given else {"text": None, "start": None, "end": None}
        span = doc.char_span(best["start"], best["end"]) if is_given else None
        result = {"question": question, **best, "score": found[0]["score"] if found else 0.0} | {
            "no_answer_score": answers.no_answer_score,
            "coverage": answers.coverage,
            "is_span": span is not None,
        }
        if self.cfg["top_k"] > 1:
            result["alternatives"] = found[is_given:]
        return result, span
