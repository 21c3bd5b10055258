"""Explanations of answers, against captum and Hugging Face's classes on the same checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients
from spacy.language import Language
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

import mmpipe

Explaining = Callable[..., Language]
TEXT = "The quick brown fox jumps over the lazy dog. It was raining in the morning, then the sun came out!"
QUESTION = "What was it in the morning?"


class Extractor:
    """A checkpoint, one question and its context."""

    def __init__(self, checkpoint: str, question: str, context: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.module = AutoModelForQuestionAnswering.from_pretrained(checkpoint).eval()
        encoded = self.tokenizer(question, context, return_offsets_mapping=True)
        self.inputs = {
            name: torch.tensor([encoded[name]]) for name in ("input_ids", "token_type_ids") if name in encoded
        }
        self.is_context = torch.tensor([[kind == 1 for kind in encoded.sequence_ids(0)]])
        self.offsets = encoded["offset_mapping"]

    def logits(self, ids: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Start and end, each of shape (length,)."""
        with torch.inference_mode():
            output = self.module(**self.inputs | ({} if ids is None else {"input_ids": ids}))
        return output.start_logits[0], output.end_logits[0]

    def best(self, max_answer_tokens: int = 15) -> tuple[int, int]:
        """Where the best answer begins and ends, in tokens."""
        start, end = self.logits()
        places = torch.nonzero(self.is_context[0]).flatten().tolist()
        spans = [(s, e) for s in places for e in places if s <= e < s + max_answer_tokens]
        return max(spans, key=lambda span: float(start[span[0]] + end[span[1]]))

    def integrated_gradients(self, first: int, last: int, n_steps: int) -> list[float]:
        """A weight for each piece of the context."""
        embed, rest = self.module.get_input_embeddings(), dict(self.inputs)
        ids = rest.pop("input_ids")

        def score(embeddings: torch.Tensor) -> torch.Tensor:
            others = {name: value.expand(len(embeddings), -1) for name, value in rest.items()}
            output = self.module(inputs_embeds=embeddings, **others)
            return output.start_logits[:, first] + output.end_logits[:, last]

        masked = torch.where(self.is_context, self.tokenizer.mask_token_id, ids)
        found = IntegratedGradients(score).attribute(embed(ids).detach(), embed(masked).detach(), n_steps=n_steps)
        return found.sum(-1)[self.is_context].tolist()


def asked(nlp: Language, text: str = TEXT, *questions: str) -> Any:
    return nlp(mmpipe.make_doc(nlp, {"text": text, "questions": list(questions or [QUESTION])}))


def weights(found: dict[str, Any]) -> list[float]:
    return [token["weight"] for token in found["tokens"]]


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_integrated_gradients_are_captums(tiny: Callable[..., str], explaining: Explaining, family: str) -> None:
    checkpoint = tiny(family, has_spans=True, max_tokens=128)
    nlp = explaining("mmpipe_qa", checkpoint, unit="piece", n_steps=16, max_steps=16, tolerance=100.0)
    doc = asked(nlp)
    (found,) = doc._.explanations
    reference = Extractor(checkpoint, QUESTION, TEXT)
    first, last = reference.best()
    start, end = reference.logits()
    assert found["question"] == QUESTION and found["target"] == doc._.answers[0]["text"]
    assert found["score"] == pytest.approx(float(start[first] + end[last]), abs=1e-3)
    wanted = reference.integrated_gradients(first, last, 16)
    assert max(map(abs, wanted)) > 0.05
    assert weights(found) == pytest.approx(wanted, rel=1e-3, abs=2e-3)


def test_occlusion_is_what_another_prediction_says(tiny: Callable[..., str], explaining: Explaining) -> None:
    checkpoint = tiny("bert", has_spans=True, max_tokens=128)
    (found,) = asked(explaining("mmpipe_qa", checkpoint, method="occlusion", unit="word"))._.explanations
    reference = Extractor(checkpoint, QUESTION, TEXT)
    first, last = reference.best()
    whole, wanted = sum(float(row[at]) for row, at in zip(reference.logits(), (first, last), strict=True)), []
    for token in found["tokens"]:
        ids = reference.inputs["input_ids"].clone()
        for index, (start, end) in enumerate(reference.offsets):
            if reference.is_context[0, index] and start < token["end"] and end > token["start"]:
                ids[0, index] = reference.tokenizer.mask_token_id
        start_logits, end_logits = reference.logits(ids)
        wanted.append(whole - float(start_logits[first] + end_logits[last]))
    assert [token["text"] for token in found["tokens"]] == TEXT.split()
    assert weights(found) == pytest.approx(wanted, abs=2e-3)


@pytest.mark.parametrize("align_to_words", [True, False])
def test_a_long_context_is_explained_in_the_window_that_decided(
    tiny: Callable[..., str], explaining: Explaining, align_to_words: bool
) -> None:
    checkpoint = tiny("bert", has_spans=True)
    component = {"align_to_words": align_to_words, "compare": "window"}
    text = "The rain came in the night. " * 4 + TEXT + " The cat sat on the mat." * 4
    nlp = explaining("mmpipe_qa", checkpoint, method="gradient_x_input", component=component)
    doc = asked(nlp, text)
    (answer,), (found,) = doc._.answers, doc._.explanations
    assert 0.05 < found["coverage"] < 0.8
    places = [(token["start"], token["end"]) for token in found["tokens"]]
    assert places[0][0] <= answer["start"] and answer["end"] <= places[-1][1]
    # With windows compared as they stand, the answer is the span that is likeliest in its own window.
    (logits,) = nlp.get_pipe("told").model.predict([(QUESTION, text)])
    assert len(logits.windows) > 2
    best = (-float("inf"), 0.0)
    for window in logits.windows:
        ends = ([*window.start, window.null_start], [*window.end, window.null_end])
        masses = [float(torch.tensor(row).logsumexp(0)) for row in ends]
        for first in range(len(window.start)):
            for last in range(first, min(first + 15, len(window.start))):
                score = float(window.start[first] + window.end[last])
                best = max(best, (score - sum(masses), score))
    assert found["score"] == pytest.approx(best[1], abs=1e-3)


def test_no_answer_is_explained_by_the_token_that_stands_for_it(
    tiny: Callable[..., str], explaining: Explaining
) -> None:
    checkpoint = tiny("bert", has_spans=True, max_tokens=128)
    component = {"no_answer_threshold": 0.0}
    doc = asked(explaining("mmpipe_qa", checkpoint, method="gradient_x_input", component=component))
    assert doc._.answers[0]["text"] is None
    (found,) = doc._.explanations
    start, end = Extractor(checkpoint, QUESTION, TEXT).logits()
    assert found["target"] is None
    assert found["score"] == pytest.approx(float(start[0] + end[0]), abs=1e-3)
    assert found["probability"] == pytest.approx(doc._.answers[0]["no_answer_score"])


@pytest.mark.parametrize("place", [(3, 4), (0, 10_000)])
def test_an_answer_that_no_window_holds_is_named(
    tiny: Callable[..., str], explaining: Explaining, place: tuple[int, int]
) -> None:
    nlp = explaining("mmpipe_qa", tiny("bert", has_spans=True), method="gradient_x_input")
    doc = asked(nlp, TEXT * 4)
    doc._.answers[0] |= {"start": place[0], "end": min(place[1], len(doc.text)), "text": "another's"}
    with pytest.raises(mmpipe.RecordError, match=rf"characters {place[0]} to \d+ stands in nothing"):
        nlp.get_pipe(nlp.pipe_names[-1])(doc)


def test_every_question_and_none(tiny: Callable[..., str], explaining: Explaining) -> None:
    nlp = explaining("mmpipe_qa", tiny("bert", has_spans=True), method="gradient_x_input")
    doc = asked(nlp, "The sun came out.", "Who came out?", "Why?")
    assert [found["question"] for found in doc._.explanations] == ["Who came out?", "Why?"]
    assert nlp("The sun came out.")._.explanations == []
    assert asked(nlp, "")._.explanations == []


def test_nothing_is_deleted_from_what_an_extractor_reads(tiny: Callable[..., str], explaining: Explaining) -> None:
    nlp = explaining("mmpipe_qa", tiny("bert", has_spans=True), method="occlusion", baseline="delete")
    with pytest.raises(mmpipe.ModelError, match="mask"):
        asked(nlp, "The sun came out.")
