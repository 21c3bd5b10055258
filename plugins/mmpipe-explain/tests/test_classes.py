"""Explanations of labels, against captum, finite differences and Hugging Face's classes on the same checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients
from spacy.language import Language
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import mmpipe
from mmpipe.testing import CLASSIFIERS

Explaining = Callable[..., Language]
TEXT = "What a wonderful day; this film is good, that one is bad!"
LABELS = ("bad", "so-so", "good")


class Classifier:
    """A checkpoint, one text, and the difference of two of its logits."""

    def __init__(self, checkpoint: str, text: str, target: int, against: int | None = None) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.module = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
        self.target, self.against = target, against
        encoded = self.tokenizer(text, return_special_tokens_mask=True, return_offsets_mapping=True)
        self.ids = torch.tensor([encoded["input_ids"]])
        self.is_text = torch.tensor([encoded["special_tokens_mask"]]) == 0
        self.offsets = encoded["offset_mapping"]

    def score_of(self, output: Any) -> torch.Tensor:
        logits = output.logits
        return logits[:, self.target] - (0 if self.against is None else logits[:, self.against])

    def score(self, ids: torch.Tensor) -> float:
        with torch.inference_mode():
            return float(self.score_of(self.module(ids)))

    def score_of_embeddings(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.score_of(self.module(inputs_embeds=embeddings))

    @property
    def masked(self) -> torch.Tensor:
        """The ids with the mask token for all of the text."""
        return torch.where(self.is_text, self.tokenizer.mask_token_id, self.ids)

    @property
    def text_offsets(self) -> list[tuple[int, int]]:
        """Of the pieces of the text."""
        return [offsets for offsets, own in zip(self.offsets, self.is_text[0].tolist(), strict=True) if own]

    def integrated_gradients(self, n_steps: int) -> tuple[list[float], float]:
        """A weight for each piece of the text, and captum's own convergence delta."""
        embed = self.module.get_input_embeddings()
        found, delta = IntegratedGradients(self.score_of_embeddings).attribute(
            embed(self.ids).detach(), embed(self.masked).detach(), n_steps=n_steps, return_convergence_delta=True
        )
        return found.sum(-1)[self.is_text].tolist(), float(delta)

    def layer_integrated_gradients(self, n_steps: int) -> list[float]:
        """The same by captum's other way, which hooks into the layer."""
        method = LayerIntegratedGradients(
            lambda ids: self.score_of(self.module(ids)), self.module.get_input_embeddings()
        )
        return method.attribute(self.ids, self.masked, n_steps=n_steps).sum(-1)[self.is_text].tolist()

    def slopes(self, step: float = 1e-4) -> list[float]:
        """By finite differences in fp64: how the score grows as each piece's embedding is lengthened."""
        module = self.module.double()
        given = module.get_input_embeddings()(self.ids).detach()
        slopes = []
        with torch.inference_mode():
            for place in torch.nonzero(self.is_text[0]).flatten().tolist():
                both = given.repeat(2, 1, 1)
                both[0, place] *= 1 + step
                both[1, place] *= 1 - step
                more, less = self.score_of_embeddings(both).tolist()
                slopes.append((more - less) / (2 * step))
        return slopes

    def places(self, start: int, end: int) -> list[int]:
        """The tokens of the characters [start, end)."""
        of_text = self.is_text[0].tolist()
        return [i for i, (s, e) in enumerate(self.offsets) if of_text[i] and s < end and e > start]


def weights(found: dict[str, Any]) -> list[float]:
    return [token["weight"] for token in found["tokens"]]


def merged(found: dict[str, Any], by_piece: list[float], offsets: list[tuple[int, int]]) -> list[float]:
    """What tokens weigh, of what pieces do: some pieces stand on the same character."""
    pairs = list(zip(by_piece, offsets, strict=True))
    return [sum(w for w, (_, end) in pairs if t["start"] < end <= t["end"]) for t in found["tokens"]]


def hand(checkpoint: str, found: dict[str, Any], text: str = TEXT, labels: tuple[str, ...] = LABELS) -> Classifier:
    against = None if found["against"] is None else labels.index(found["against"])
    return Classifier(checkpoint, text, labels.index(found["target"]), against)


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[..., str]) -> str:
    return tiny("bert", labels=LABELS)


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_integrated_gradients_are_captums(tiny: Callable[..., str], explaining: Explaining, family: str) -> None:
    checkpoint = tiny(family, labels=LABELS)
    nlp = explaining("mmpipe_sentiment", checkpoint, unit="piece", n_steps=20, max_steps=20, tolerance=1.0)
    (found,) = nlp(TEXT)._.explanations
    reference = hand(checkpoint, found)
    wanted, delta = reference.integrated_gradients(20)
    assert max(map(abs, wanted)) > 0.05, "no word matters: the test could not fail"
    assert weights(found) == pytest.approx(merged(found, wanted, reference.text_offsets), abs=2e-4)
    assert found["convergence_delta"] == pytest.approx(delta, abs=2e-4)
    assert found["n_steps"] == 20 and found["elsewhere"] == pytest.approx(0, abs=1e-5)
    assert found["score"] == pytest.approx(reference.score(reference.ids), abs=1e-4)
    if family == "bert":
        assert weights(found) == pytest.approx(reference.layer_integrated_gradients(20), abs=2e-4)


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_gradient_x_input_is_the_slope(tiny: Callable[..., str], explaining: Explaining, family: str) -> None:
    checkpoint = tiny(family, labels=LABELS)
    (found,) = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", unit="piece")(TEXT)._.explanations
    reference = hand(checkpoint, found)
    wanted = reference.slopes()
    assert max(map(abs, wanted)) > 0.05
    assert weights(found) == pytest.approx(merged(found, wanted, reference.text_offsets), abs=1e-3)
    assert found["baseline"] == "zero" and found["baseline_score"] is None and found["convergence_delta"] is None


def test_the_weights_sum_to_the_difference_of_the_scores(checkpoint: str, explaining: Explaining) -> None:
    settings = {"n_steps": 2, "max_steps": 512, "tolerance": 0.005}
    differences, steps = [], []
    for found in explaining("mmpipe_sentiment", checkpoint, labels=list(LABELS), **settings)(TEXT)._.explanations:
        reference = hand(checkpoint, found)
        whole, empty = reference.score(reference.ids), reference.score(reference.masked)
        assert (found["score"], found["baseline_score"]) == pytest.approx((whole, empty), abs=1e-4)
        assert sum(weights(found)) + found["elsewhere"] == pytest.approx(whole - empty, abs=0.005 + 2e-4)
        assert abs(found["convergence_delta"]) <= 0.005
        differences.append(abs(whole - empty))
        steps.append(found["n_steps"])
    assert max(differences) > 0.1
    assert 2 < max(steps) <= 512, "two steps were not enough, so that they were doubled"


def test_a_sum_that_stays_wrong_is_said_with_its_figure(
    checkpoint: str, explaining: Explaining, caplog: pytest.LogCaptureFixture
) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, n_steps=1, max_steps=1, tolerance=1e-7)
    with caplog.at_level(logging.WARNING, "mmpipe"):
        (found,) = nlp(TEXT)._.explanations
    assert abs(found["convergence_delta"]) > 1e-4
    assert f"{found['convergence_delta']:.4g}" in caplog.text and "max_steps" in caplog.text


@pytest.mark.parametrize(("baseline", "score"), [("pad", "margin"), ("zero", "logit")])
def test_other_baselines_and_scores(checkpoint: str, explaining: Explaining, baseline: str, score: str) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, baseline=baseline, score=score, max_steps=512)
    (found,) = nlp(TEXT)._.explanations
    assert found["baseline"] == baseline and (found["against"] is None) == (score == "logit")
    reference = hand(checkpoint, found)
    embed = reference.module.get_input_embeddings()
    given = embed(reference.ids).detach()
    empty = torch.where(reference.is_text[..., None], 0.0 if baseline == "zero" else embed.weight[0].detach(), given)
    assert reference.tokenizer.pad_token_id == 0
    with torch.inference_mode():
        wanted = [float(reference.score_of_embeddings(one)) for one in (given, empty)]
    assert [found["score"], found["baseline_score"]] == pytest.approx(wanted, abs=1e-4)
    assert sum(weights(found)) == pytest.approx(wanted[0] - wanted[1], abs=0.011)


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("baseline", ["mask", "pad", "delete"])
def test_occlusion_is_what_another_prediction_says(
    tiny: Callable[..., str], explaining: Explaining, family: str, baseline: str
) -> None:
    checkpoint = tiny(family, labels=LABELS)
    nlp = explaining("mmpipe_sentiment", checkpoint, method="occlusion", baseline=baseline, unit="word")
    (found,) = nlp(TEXT)._.explanations
    assert [token["text"] for token in found["tokens"]] == TEXT.split()
    reference = hand(checkpoint, found)
    whole, wanted = reference.score(reference.ids), []
    for token in found["tokens"]:
        # Byte-level pieces count the space before a word in.
        places = reference.places(token["start"], token["end"])
        ids = reference.ids.clone()
        if baseline == "delete":
            ids = ids[:, [i for i in range(ids.shape[1]) if i not in places]]
        else:
            ids[0, places] = getattr(reference.tokenizer, f"{baseline}_token_id")
        attention = torch.ones_like(ids)
        with torch.inference_mode():
            wanted.append(whole - float(reference.score_of(reference.module(ids, attention_mask=attention))))
    assert max(map(abs, wanted)) > 0.05
    assert weights(found) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
def test_a_long_text_is_explained_over_all_its_windows(checkpoint: str, explaining: Explaining, method: str) -> None:
    text = "what a wonderful day this film is good " * 5 + "never again"
    windows = {"max_tokens": 16, "stride_tokens": 4}
    nlp = explaining("mmpipe_sentiment", checkpoint, method=method, unit="word", model=windows, max_steps=512)
    doc = nlp(text)
    (found,) = doc._.explanations
    # Hugging Face's own windows, weighted with the tokens that are new in each.
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    module = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    options = {"truncation": True, "max_length": 16, "stride": 4, "return_overflowing_tokens": True}
    cut = tokenizer(text, **options, return_offsets_mapping=True, return_special_tokens_mask=True)
    new = [mask.count(0) - (4 if index else 0) for index, mask in enumerate(cut["special_tokens_mask"])]
    assert len(new) > 3
    target, against = LABELS.index(found["target"]), LABELS.index(found["against"])

    def score(start: int, end: int) -> float:
        """Without the words in these characters."""
        total = 0.0
        for ids, offsets, share in zip(cut["input_ids"], cut["offset_mapping"], new, strict=True):
            pairs = zip(ids, offsets, strict=True)
            kept = [tokenizer.mask_token_id if s < e and s < end and e > start else i for i, (s, e) in pairs]
            with torch.inference_mode():
                logits = module(torch.tensor([kept])).logits[0]
            total += share / sum(new) * float(logits[target] - logits[against])
        return total

    assert found["coverage"] == 1.0 and [token["text"] for token in found["tokens"]] == text.split()
    assert found["score"] == pytest.approx(score(0, 0), abs=1e-4)
    if method == "occlusion":
        wanted = [score(0, 0) - score(token["start"], token["end"]) for token in found["tokens"]]
        assert weights(found) == pytest.approx(wanted, abs=1e-4)
    else:
        assert found["baseline_score"] == pytest.approx(score(0, len(text)), abs=1e-4)
        assert sum(weights(found)) == pytest.approx(score(0, 0) - score(0, len(text)), abs=0.011)


def test_a_text_cut_off_says_how_much_was_explained(checkpoint: str, explaining: Explaining) -> None:
    model = {"max_tokens": 16, "long_text": "truncate"}
    doc = explaining("mmpipe_sentiment", checkpoint, method="occlusion", model=model)("good film " * 20)
    (found,) = doc._.explanations
    assert found["coverage"] == pytest.approx(doc._.sentiment["coverage"]) and found["coverage"] < 0.5
    assert found["tokens"][-1]["end"] < len(doc.text) / 2


def test_labels_and_least_probability(checkpoint: str, explaining: Explaining) -> None:
    doc = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", labels=["good", "bad"])(TEXT)
    first, second = doc._.explanations
    scores = doc._.sentiment["scores"]
    assert [first["target"], second["target"]] == ["good", "bad"]
    assert first["probability"] == pytest.approx(scores["good"]) and second["probability"] == pytest.approx(
        scores["bad"]
    )
    (default,) = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input")(TEXT)._.explanations
    assert default["target"] == doc._.sentiment["label"]
    rest = sorted((label for label in LABELS if label != default["target"]), key=lambda label: scores[label])
    assert default["against"] == rest[-1]
    least = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", labels=list(LABELS), min_score=0.9)
    assert [one["target"] for one in least(TEXT)._.explanations] == [n for n in LABELS if scores[n] >= 0.9]


def test_labels_that_do_not_exclude_one_another_have_logits_of_their_own(
    tiny: Callable[..., str], explaining: Explaining
) -> None:
    labels = ("rude", "funny")
    checkpoint = tiny("bert", labels=labels, is_multi_label=True)
    doc = explaining("mmpipe_sentiment", checkpoint, labels=["funny"], max_steps=512)(TEXT)
    (found,) = doc._.explanations
    reference = hand(checkpoint, found, labels=labels)
    assert found["against"] is None
    assert found["score"] == pytest.approx(reference.score(reference.ids), abs=1e-4)
    assert sum(weights(found)) == pytest.approx(found["score"] - reference.score(reference.masked), abs=0.011)


def test_a_label_that_the_model_lacks(checkpoint: str, explaining: Explaining) -> None:
    with pytest.raises(mmpipe.ModelError, match=r"components\.explain\.labels.*'great'.*\n.*bad, so-so, good"):
        explaining("mmpipe_sentiment", checkpoint, labels=["great"])(TEXT)


def test_what_is_predicted_in_bf16_is_explained_in_fp32(checkpoint: str, explaining: Explaining) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method="occlusion", model={"precision": "bf16"})
    (found,) = nlp(TEXT)._.explanations
    reference = hand(checkpoint, found)
    assert found["score"] == pytest.approx(reference.score(reference.ids), abs=1e-4)
