"""Zero-shot by embeddings, against sentence-transformers and vectors made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from mmpipe_classify import TOPICS
from mmpipe_classify.embeddings import Embeddings, embed
from spacy.language import Language
from transformers import AutoModel, AutoTokenizer

import mmpipe
from mmpipe.models.files import backbone_folder
from mmpipe.testing import AWKWARD_TEXTS

TEXTS = ["This film is good.", "never again", "The quick brown fox jumps over the lazy dog and the cat sat on the mat."]
LABELS: dict[str, Any] = {
    "film": "good films",
    "dog": ["the lazy dog", "a dog jumps over the cat"],
    "weather": {"description": "the sun in the morning", "examples": ["it was raining"]},
}
SAID = {
    "film": ["About good films!"],
    "dog": ["About dog!", "the lazy dog", "a dog jumps over the cat"],
    "weather": ["About the sun in the morning!", "it was raining"],
}


def load(checkpoint: str, **settings: Any) -> Language:
    model = {"name": checkpoint, "precision": "fp32", "device": "cpu", "midpoint": 0.95, **settings.pop("model", {})}
    component = {
        "factory": "mmpipe_zero_shot",
        "labels": LABELS,
        "hypothesis_template": "About {}!",
        "model": model,
        **settings,
    }
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}})


def vectors(checkpoint: str, texts: list[str], pooling: str = "mean") -> torch.Tensor:
    """Vectors of length 1 that Hugging Face's classes give, one text at a time: (n_texts, width)."""
    tokenizer, model = (kind.from_pretrained(checkpoint) for kind in (AutoTokenizer, AutoModel))
    with torch.inference_mode():
        rows = [model.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    pooled = torch.stack([row.mean(0) if pooling == "mean" else row[0] for row in rows])
    return torch.nn.functional.normalize(pooled, dim=-1)


def logits(checkpoint: str, texts: list[str], pooling: str = "mean") -> torch.Tensor:
    """What the component's documentation promises: (n_texts, n_labels)."""
    means = [vectors(checkpoint, said, pooling).mean(0) for said in SAID.values()]
    prototypes = torch.nn.functional.normalize(torch.stack(means), dim=-1)
    return 20.0 * (vectors(checkpoint, texts, pooling) @ prototypes.T - 0.95)


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[..., str]) -> str:
    return tiny("bert")


def test_vectors_of_the_default_encoder_are_those_of_sentence_transformers() -> None:
    library = pytest.importorskip("sentence_transformers")
    name = "sentence-transformers/all-MiniLM-L6-v2"
    encoder = library.SentenceTransformer(str(backbone_folder(name)), device="cpu")
    texts = [*TEXTS, AWKWARD_TEXTS["emoji"]] if "emoji" in AWKWARD_TEXTS else TEXTS
    wanted = encoder.encode(texts, normalize_embeddings=True)
    _, found = embed(Embeddings(name, device="cpu", precision="fp32"), texts, long_text="window")
    assert np.abs(found - wanted).max() < 1e-5
    assert found.shape == (len(texts), 384)


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("is_multi_label", [False, True])
def test_scores_are_those_of_cosines_to_prototypes(checkpoint: str, pooling: str, is_multi_label: bool) -> None:
    wanted = logits(checkpoint, TEXTS, pooling)
    wanted = wanted.sigmoid() if is_multi_label else wanted.softmax(-1)
    assert np.ptp(wanted.numpy(), axis=0).max() > 0.01, "all texts look alike: the test could not fail"
    nlp = load(checkpoint, multi_label=is_multi_label, model={"pooling": pooling})
    for doc, row in zip(nlp.pipe(TEXTS), wanted, strict=True):
        assert doc._.topics["scores"] == pytest.approx(dict(zip(LABELS, row.tolist(), strict=True)), abs=1e-4)


def test_a_temperature_makes_scores_milder(checkpoint: str) -> None:
    wanted = (logits(checkpoint, TEXTS[:1]) / 4.0).softmax(-1)[0]
    found = load(checkpoint, model={"temperature": 4.0})(TEXTS[0])._.topics["scores"]
    assert found == pytest.approx(dict(zip(LABELS, wanted.tolist(), strict=True)), abs=1e-4)


def test_labels_that_change_are_read_anew(checkpoint: str) -> None:
    nlp = load(checkpoint, labels=["film", "dog"])
    first = nlp(TEXTS[0])._.topics["scores"]
    nlp.get_pipe("topics").cfg["labels"] = ["dog", "film"]
    second = nlp(TEXTS[0])._.topics["scores"]
    assert list(second) == ["dog", "film"] and second == first


def test_a_prefix_begins_all_that_is_read(checkpoint: str) -> None:
    model = {"prefix": "query: "}
    labels = {"film": "good films", "dog": "a dog"}
    found = load(checkpoint, labels=labels, model=model, hypothesis_template="{}")(TEXTS[0])._.topics["scores"]
    read = vectors(checkpoint, [f"query: {text}" for text in (*labels.values(), TEXTS[0])])
    wanted = (20.0 * (read[:2] @ read[2])).softmax(-1)
    assert list(found.values()) == pytest.approx(wanted.tolist(), abs=1e-4)


def test_awkward_texts_in_any_company(checkpoint: str) -> None:
    nlp = load(checkpoint, per_sentence=True, multi_label=True)
    texts = [*AWKWARD_TEXTS.values(), *TEXTS]
    alone = [nlp(text)._.topics for text in texts]
    for batch_size in (3, 100):
        docs = list(nlp.pipe(texts[::-1], batch_size=batch_size))[::-1]
        assert [doc._.topics for doc in docs] == alone
    for text, result in zip(texts, alone, strict=True):
        assert all(text[sent["start"] : sent["end"]].strip() for sent in result["sentences"])


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_a_text_with_nothing_to_read_has_no_label(checkpoint: str, text: str) -> None:
    result = load(checkpoint, per_sentence=True)(text)._.topics
    assert result["label"] is None and result["score"] == 0.0 and result["labels"] == result["sentences"] == []
    assert result["scores"] == dict.fromkeys(LABELS, 0.0) and result["coverage"] == 1.0


def test_sentences_have_labels_of_their_own(checkpoint: str) -> None:
    text = "  This film is good.\n\nThe lazy dog sat on the mat. "
    doc = load(checkpoint, per_sentence=True, spans_key="parts", top_k=2)(text)
    sents = ["This film is good.", "The lazy dog sat on the mat."]
    wanted = [doc._.topics for doc in load(checkpoint, top_k=2).pipe(sents)]
    found = doc._.topics["sentences"]
    assert [text[one["start"] : one["end"]] for one in found] == sents == [span.text for span in doc.spans["parts"]]
    assert [one["labels"] for one in found] == [one["labels"] for one in wanted]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in wanted], abs=1e-5)
    assert [span.label_ for span in doc.spans["parts"]] == [one["label"] for one in found]


def test_thresholds_and_top_k_decide_what_is_given(checkpoint: str) -> None:
    scores = load(checkpoint)(TEXTS[0])._.topics["scores"]
    ranked = sorted(scores, key=lambda label: -scores[label])
    assert load(checkpoint, top_k=3)(TEXTS[0])._.topics["labels"] == ranked
    assert load(checkpoint, top_k=3, threshold=scores[ranked[1]] - 1e-4)(TEXTS[0])._.topics["labels"] == ranked[:2]
    high = load(checkpoint, threshold={ranked[0]: 1.0})(TEXTS[0])._.topics
    assert high["labels"] == ranked[1:2] and high["label"] == ranked[1]
    none = load(checkpoint, threshold=1.0)(TEXTS[0])._.topics
    assert (none["label"], none["score"], none["labels"]) == (None, 0.0, []) and none["scores"] == scores


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": []}, "no labels"),
        ({"labels": ["dog", "dog"]}, "stands twice"),
        ({"labels": [" "]}, "must have a name"),
        ({"labels": [{"name": "dog", "exmples": []}]}, "unknown key 'exmples'"),
        ({"labels": {"dog": {"examples": [""]}}}, "wrong value"),
        ({"hypothesis_template": "About it"}, "no single {}"),
        ({"hypothesis_template": "{} or {}"}, "no single {}"),
        ({"hypothesis_template": "{label}"}, "no single {}"),
        ({"threshold": 1.5}, "from 0 to 1"),
        ({"threshold": {"cat": 0.5}}, "no label 'cat'"),
        ({"top_k": 0}, "at least 1"),
        ({"model": {"scale": 0.0}}, "above 0"),
        ({"model": {"@architectures": "mmpipe.SequenceClassifier.v1"}}, "does not weigh labels"),
    ],
)
def test_settings_that_cannot_be_are_told(checkpoint: str, settings: dict[str, Any], said: str) -> None:
    if "@architectures" in settings.get("model", {}):
        model = {**settings["model"], "name": checkpoint}
        component = {"factory": "mmpipe_zero_shot", "labels": ["dog"], "model": model}
        with pytest.raises(mmpipe.MmpipeError, match=said):
            mmpipe.load({"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}})
        return
    with pytest.raises(mmpipe.MmpipeError, match=said):
        load(checkpoint, **settings)


def test_labels_of_a_config_take_the_place_of_the_default_ones(checkpoint: str) -> None:
    usual = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["mmpipe_zero_shot"]}}, weights=False)
    assert usual.get_pipe("mmpipe_zero_shot").labels == tuple(TOPICS)
    for labels in ({"dog": "a lazy dog"}, ["dog"]):
        assert load(checkpoint, labels=labels).get_pipe("topics").labels == ("dog",)
        alone = spacy.blank("en").add_pipe("mmpipe_zero_shot", config={"labels": labels})
        assert alone.labels == ("dog",)


def test_the_named_pipeline_works_offline_and_in_spacy_alone(tmp_path: Path) -> None:
    nlp = mmpipe.load("topics", {"components.topics.save_weights": False})
    doc = nlp("The striker scored twice in the last minutes of the cup final.")
    assert doc._.topics["label"] == "sport"
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path)(doc.text)._.topics == doc._.topics
