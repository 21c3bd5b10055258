"""Zero-shot by entailment, against Hugging Face's `zero-shot-classification` pipeline and its own classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spacy.language import Language
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

import mmpipe
from mmpipe.testing import AWKWARD_TEXTS, CLASSIFIERS

NLI = ("contradiction", "neutral", "entailment")
LABELS = ["good films", "dogs", "the weather in the morning"]
TEMPLATE = "This text is about {}."
TEXTS = [
    "This film is good.",
    "What a wonderful day; it was raining, then the sun came out!",
    "The quick brown fox jumps over the lazy dog and the cat sat on the mat.",
]


def load(checkpoint: str, **settings: Any) -> Language:
    model = {
        "@architectures": "mmpipe_classify.Entailment.v1",
        "name": checkpoint,
        "precision": "fp32",
        "device": "cpu",
        **settings.pop("model", {}),
    }
    component = {"factory": "mmpipe_zero_shot", "labels": LABELS, "model": model, **settings}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}})


def scores_of(checkpoint: str, texts: list[str], **options: Any) -> list[dict[str, float]]:
    """What Hugging Face's pipeline says of texts."""
    asked = pipeline("zero-shot-classification", model=checkpoint, device="cpu")
    found = [asked(text, LABELS, hypothesis_template=TEMPLATE, **options) for text in texts]
    return [dict(zip(one["labels"], one["scores"], strict=True)) for one in found]


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[..., str]) -> str:
    return tiny("bert", labels=NLI)


@pytest.fixture(scope="module")
def tiny_bart(tiny: Callable[..., str]) -> str:
    """The family of the checkpoint that Hugging Face's pipeline takes unless told otherwise."""
    folder = tiny("bart")
    config = AutoConfig.from_pretrained(folder)
    config.id2label, config.label2id = dict(enumerate(NLI)), {label: i for i, label in enumerate(NLI)}
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10.0 if parameter.dim() > 1 else 1.0)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("is_multi_label", [False, True])
@pytest.mark.parametrize("family", [*CLASSIFIERS, "bart"])
def test_scores_are_those_of_hugging_faces_pipeline(
    request: pytest.FixtureRequest, tiny: Callable[..., str], family: str, is_multi_label: bool
) -> None:
    name = request.getfixturevalue("tiny_bart") if family == "bart" else tiny(family, labels=NLI)
    wanted = scores_of(name, TEXTS, multi_label=is_multi_label)
    assert np.ptp([list(one.values()) for one in wanted]) > 0.01, "all look alike: the test could not fail"
    for doc, one in zip(load(name, multi_label=is_multi_label).pipe(TEXTS), wanted, strict=True):
        result = doc._.topics
        assert list(result["scores"]) == LABELS
        assert result["scores"] == pytest.approx(one, abs=1e-4)
        assert result["coverage"] == 1.0
        assert doc.cats == {f"topic_{label}": score for label, score in result["scores"].items()}
        given = [label for label in one if one[label] >= 0.5] if is_multi_label else list(one)[:1]
        assert result["labels"] == given
        assert (result["label"], result["score"]) == ((given[0], result["scores"][given[0]]) if given else (None, 0.0))


@pytest.mark.parametrize(
    "names",
    [
        ("Entailment", "Neutral", "Contradiction"),
        ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
        ("entailment", "not_entailment"),
        ("not_entailment", "entailment"),
    ],
)
def test_entailment_stands_at_any_index(tiny: Callable[..., str], names: tuple[str, ...]) -> None:
    name = tiny("bert", labels=names)
    for is_multi_label in (False, True):
        found = load(name, multi_label=is_multi_label)(TEXTS[1])._.topics["scores"]
        assert found == pytest.approx(scores_of(name, TEXTS[1:2], multi_label=is_multi_label)[0], abs=1e-4)


def test_contradiction_is_found_by_its_name(tiny: Callable[..., str]) -> None:
    """Hugging Face's pipeline would take `neutral` for it here, by its place."""
    name = tiny("bert", labels=("neutral", "contradiction", "entailment"))
    tokenizer, model = (kind.from_pretrained(name) for kind in (AutoTokenizer, AutoModelForSequenceClassification))
    with torch.inference_mode():
        rows = [
            model.eval()(**tokenizer(TEXTS[0], TEMPLATE.format(label), return_tensors="pt")).logits[0, 1:]
            for label in LABELS
        ]
    wanted = {label: float(row.softmax(-1)[1]) for label, row in zip(LABELS, rows, strict=True)}
    assert load(name, multi_label=True)(TEXTS[0])._.topics["scores"] == pytest.approx(wanted, abs=1e-4)


def test_one_label_is_weighed_on_its_own(checkpoint: str) -> None:
    wanted = scores_of(checkpoint, TEXTS, multi_label=True)
    for doc, one in zip(load(checkpoint, labels=LABELS[:1]).pipe(TEXTS), wanted, strict=True):
        assert doc._.topics["scores"] == pytest.approx({LABELS[0]: one[LABELS[0]]}, abs=1e-4)


def test_a_cut_text_is_cut_as_by_hugging_face(checkpoint: str) -> None:
    text = AWKWARD_TEXTS["long"]
    result = load(checkpoint, model={"long_text": "truncate"})(text)._.topics
    assert 0.0 < result["coverage"] < 0.2
    assert result["scores"] == pytest.approx(scores_of(checkpoint, [text])[0], abs=1e-4)
    with pytest.raises(mmpipe.RecordError, match="long_text"):
        load(checkpoint, model={"long_text": "error"})(text)


def test_a_long_text_is_the_mean_of_its_windows(checkpoint: str) -> None:
    """Windows as Hugging Face's tokenizer cuts them, each weighing what no window before it held."""
    text, stride = " ".join(TEXTS * 8), 16
    tokenizer, model = (
        kind.from_pretrained(checkpoint) for kind in (AutoTokenizer, AutoModelForSequenceClassification)
    )
    entailment = []
    for label in LABELS:
        encoded = tokenizer(
            text,
            TEMPLATE.format(label),
            truncation="only_first",
            max_length=128,
            stride=stride,
            return_overflowing_tokens=True,
        )
        n_pieces = [encoded.sequence_ids(i).count(0) for i in range(len(encoded["input_ids"]))]
        assert len(n_pieces) > 2
        with torch.inference_mode():
            rows = [
                model.eval()(**{k: torch.tensor([encoded[k][i]]) for k in tokenizer.model_input_names}).logits[0, 2]
                for i in range(len(n_pieces))
            ]
        weights = [n - stride * (i > 0) for i, n in enumerate(n_pieces)]
        entailment.append(np.average([float(row) for row in rows], weights=weights))
    wanted = torch.tensor(entailment).softmax(-1).tolist()
    result = load(checkpoint, model={"stride_tokens": stride})(text)._.topics
    assert result["coverage"] == 1.0
    assert list(result["scores"].values()) == pytest.approx(wanted, abs=1e-4)


def test_a_description_takes_the_place_of_the_name(checkpoint: str) -> None:
    told = {"a": LABELS[0], "b": LABELS[1], "c": LABELS[2]}
    wanted = load(checkpoint)(TEXTS[0])._.topics["scores"].values()
    assert list(load(checkpoint, labels=told)(TEXTS[0])._.topics["scores"].items()) == list(
        zip(told, wanted, strict=True)
    )


@pytest.mark.parametrize("names", [None, ("negative", "positive"), ("entailment",)])
def test_a_checkpoint_without_entailment_is_refused(tiny: Callable[..., str], names: tuple[str, ...] | None) -> None:
    nlp = load(tiny("bert", labels=names or ("LABEL_0", "LABEL_1")))
    with pytest.raises(mmpipe.ModelError, match="no natural language inference") as caught:
        nlp("This film is good.")
    assert repr((names or ("LABEL_0",))[0].lower()) in str(caught.value)


def test_examples_and_endless_labels_are_refused(checkpoint: str) -> None:
    with pytest.raises(mmpipe.ConfigError, match="no use of examples"):
        load(checkpoint, labels={"dogs": ["My dog is lazy."]})
    with pytest.raises(mmpipe.ModelError, match="leaves no room for text"):
        load(checkpoint, labels=["dog " * 130])("This film is good.")


def test_saved_and_loaded_it_says_the_same(checkpoint: str, tmp_path: Path) -> None:
    nlp = load(checkpoint, labels=["[a] = b.c", "dogs"], threshold={"dogs": 0.1}, top_k=2)
    nlp.to_disk(tmp_path)
    assert mmpipe.load(tmp_path)(TEXTS[0])._.topics == nlp(TEXTS[0])._.topics
    cut = mmpipe.load(tmp_path, {"components.topics.labels": ["dogs"]})
    assert list(cut(TEXTS[0])._.topics["scores"]) == ["dogs"]


def test_the_device_of_a_run_reaches_its_model(checkpoint: str) -> None:
    tree = dict(load(checkpoint).config)
    tree = {"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": tree["components"]}
    del tree["components"]["topics"]["model"]["device"]
    nlp = mmpipe.load(tree, device="cpu", weights=False)
    assert nlp.config["components"]["topics"]["model"]["device"] == "cpu"
