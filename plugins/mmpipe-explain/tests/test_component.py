"""The component in a pipeline: what it explains, what it leaves as it was, and what it is like to live with."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from mmpipe_explain.factory import DEFAULTS
from spacy.language import Language
from spacy.tokens import DocBin

import mmpipe
from mmpipe.models.attribution import Probe
from mmpipe.testing import AWKWARD_TEXTS

Explaining = Callable[..., Language]
TEXT = "What a wonderful day; this film is good, that one is bad!"
TEXTS = [TEXT, "never again", "The cat sat on the mat. It was raining in the morning, then the sun came out!"]
METHODS = ("integrated_gradients", "gradient_x_input", "occlusion")


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[..., str]) -> str:
    return tiny("bert", labels=("negative", "positive"))


def assert_close(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    """The same plain data, numbers within the tolerance."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            assert_close(found[key], wanted[key], tolerance)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_close(one, other, tolerance)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=tolerance)
    else:
        assert found == wanted


class TestWhatIsExplained:
    def components(self, checkpoint: str, **of: Any) -> dict[str, Any]:
        model = {"name": checkpoint, "precision": "fp32"}
        return {
            "tone": {"factory": "mmpipe_sentiment", "model": model},
            "warmth": {"factory": "mmpipe_sentiment", "model": model, "field": "warmth", "cats_prefix": "w_"},
            "sentencizer": {"factory": "sentencizer"},
            "explain": {"factory": "mmpipe_explain", "method": "gradient_x_input", **of},
        }

    def load(self, checkpoint: str, *pipeline: str, **of: Any) -> Language:
        config = {"nlp": {"lang": "en", "pipeline": list(pipeline)}, "components": self.components(checkpoint, **of)}
        return mmpipe.load(config, weights=False)

    def test_all_before_it_or_those_named(self, checkpoint: str) -> None:
        order = ("tone", "sentencizer", "warmth", "explain")
        told = self.load(checkpoint, *order)(TEXT)._.explanations
        assert [found["component"] for found in told] == ["tone", "warmth"]
        told = self.load(checkpoint, *order, of=["warmth"])(TEXT)._.explanations
        assert [found["component"] for found in told] == ["warmth"]

    @pytest.mark.parametrize(
        ("order", "of", "said"),
        [
            (["tone", "explain"], ["ton"], r"components\.explain\.of\.0.*'ton' is not .*\n.*'tone'"),
            (["tone", "explain", "warmth"], ["warmth"], r"'warmth' is not a component before it\n.*'tone'"),
            (["tone", "sentencizer", "explain"], ["sentencizer"], r"'sentencizer' cannot be explained\n.*'tone'"),
            (["sentencizer", "explain"], None, r"no component before it.*\n.*mmpipe\.SequenceClassifier\.v1"),
            (["tone", "explain"], [], r"of: an empty list"),
        ],
    )
    def test_what_cannot_be_is_said_with_what_can(
        self, checkpoint: str, order: list[str], of: list[str] | None, said: str
    ) -> None:
        with pytest.raises(mmpipe.ConfigError, match=said):
            self.load(checkpoint, *order, of=of)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"method": "occlusion", "baseline": "zero"}, r"components\.explain\.baseline.*\n.*mask, pad, delete"),
            ({"method": "integrated_gradients", "baseline": "delete"}, r"components\.explain\.baseline"),
            ({"method": "gradient_x_input", "baseline": "mask"}, r"components\.explain\.baseline"),
            ({"method": "integrated_gradients", "n_steps": 64, "max_steps": 32}, r"components\.explain\.max_steps"),
            ({"method": "integrated_gradient"}, r"components\.explain\.method"),
            ({"tolerance": 0.0}, r"components\.explain\.tolerance"),
        ],
    )
    def test_settings_that_do_not_go_together(self, checkpoint: str, settings: dict[str, Any], said: str) -> None:
        with pytest.raises(mmpipe.ConfigError, match=said):
            self.load(checkpoint, "tone", "explain", **settings)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_that_predicts_is_touched(checkpoint: str, explaining: Explaining, method: str) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method=method, unit="word")
    before = nlp(TEXT)._.sentiment
    module = Probe(nlp.get_pipe("told").model).module
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    nlp(TEXTS[2])
    assert not any(part.training for part in module.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())
    assert nlp(TEXT)._.sentiment == before


@pytest.mark.parametrize("method", METHODS)
def test_alone_in_a_batch_again_and_without_gradients_it_is_the_same(
    checkpoint: str, explaining: Explaining, method: str
) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method=method)
    alone = [nlp(text)._.explanations for text in TEXTS]
    assert [doc._.explanations for doc in nlp.pipe(TEXTS, batch_size=2)] == alone
    with torch.inference_mode():
        assert [doc._.explanations for doc in nlp.pipe(TEXTS)] == alone
    other = explaining("mmpipe_sentiment", checkpoint, method=method, batch_tokens=40)
    for doc, wanted in zip(other.pipe(TEXTS), alone, strict=True):
        assert_close(doc._.explanations, wanted, 2e-4)


def test_threads_that_predict_and_explain_at_once(checkpoint: str, explaining: Explaining) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint)
    wanted = [nlp(text) for text in TEXTS]
    tone = nlp.get_pipe("told").model
    logits = [one.logits.tolist() for one in tone.predict(TEXTS)]
    wrong: list[Any] = []

    def explain() -> None:
        for _ in range(3):
            for text, doc in zip(TEXTS, wanted, strict=True):
                if nlp(text)._.explanations != doc._.explanations:
                    wrong.append(text)

    def predict() -> None:
        for _ in range(40):
            if [one.logits.tolist() for one in tone.predict(TEXTS)] != logits:
                wrong.append("prediction")

    threads = [threading.Thread(target=target) for target in (explain, explain, predict)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("family", "unit"), [("bert", "token"), ("roberta", "word"), ("bert", "piece"), ("roberta", "sentence")]
)
def test_awkward_texts(tiny: Callable[..., str], explaining: Explaining, family: str, unit: str) -> None:
    checkpoint = tiny(family, labels=("negative", "positive"))
    nlp = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", unit=unit)
    texts = [text[:150] for text in AWKWARD_TEXTS.values()]
    for doc in nlp.pipe(texts):
        for found in doc._.explanations:
            at, whole = 0, 0.0
            for token in found["tokens"]:
                assert at <= token["start"] < token["end"] <= len(doc.text)
                assert token["text"] == doc.text[token["start"] : token["end"]]
                at, whole = token["end"], whole + token["weight"]
            assert found["tokens"], doc.text
        assert bool(doc._.explanations) == (doc._.sentiment["label"] is not None)


def test_units_of_chinese_are_its_tokens(checkpoint: str, explaining: Explaining) -> None:
    doc = explaining("mmpipe_sentiment", checkpoint, lang="zh", method="occlusion")("这部电影很好看。")
    assert [token["text"] for token in doc._.explanations[0]["tokens"]] == [token.text for token in doc]


def test_a_text_that_fails_fails_alone(checkpoint: str, explaining: Explaining) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", model={"long_text": "error"})
    failed = []
    nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((name, [doc.text for doc in docs])))
    nlp.disable_pipe("told")
    docs = list(nlp.pipe([TEXT, "so " * 200, "never again"]))
    assert [doc.text for doc in docs] == [TEXT, "never again"] and len(docs[0]._.explanations) == 1
    assert failed == [("explain", ["so " * 200])]


def test_saved_and_loaded_by_spacy_alone(checkpoint: str, explaining: Explaining, tmp_path: Path) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input", unit="word", field="why")
    nlp.to_disk(tmp_path / "saved")
    doc = spacy.load(tmp_path / "saved")(TEXT)
    assert_close(doc._.why, nlp(TEXT)._.why)
    binary = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (back,) = DocBin().from_bytes(binary).get_docs(nlp.vocab)
    assert_close(mmpipe.to_record(back, ["why"])["why"], doc._.why)


def test_it_goes_with_weights_that_were_trained(checkpoint: str, explaining: Explaining) -> None:
    nlp = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input")
    before = nlp(TEXT)._.explanations[0]
    pipe = nlp.get_pipe("told")
    module = pipe.model.shims[0].start_training().module
    with torch.no_grad():
        module.get_input_embeddings().weight.mul_(2.0)
    after = nlp(TEXT)._.explanations[0]
    assert abs(after["score"] - before["score"]) > 1e-3
    (logits,) = pipe.model.predict([TEXT])
    index = {"negative": 0, "positive": 1}[after["target"]]
    assert after["score"] == pytest.approx(float(logits.logits[index] - logits.logits[1 - index]), abs=1e-4)


def test_the_readme_has_every_setting_with_its_default_and_every_key_of_a_result(
    checkpoint: str, explaining: Explaining
) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", readme.split("## Settings")[1].split("\n## ")[0], flags=re.M)
    assert {name: json.loads(default) for name, default in listed} == DEFAULTS
    (found,) = explaining("mmpipe_sentiment", checkpoint, method="gradient_x_input")(TEXT)._.explanations
    table = readme.split("## The result")[1].split("- **Score")[0]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.+?) \|", table, flags=re.M)))) == set(found)
    assert set(found) == set(type(explaining("mmpipe_sentiment", checkpoint).get_pipe("explain")).result_type[0])


def test_weights_first_loaded_while_predicting_have_gradients(tiny: Callable[..., str], tmp_path: Path) -> None:
    """spaCy loads no weights by itself: the first prediction does, where gradients are off."""
    model = {"name": tiny("distilbert", labels=("negative", "positive")), "precision": "fp32"}
    config = {
        "nlp": {"lang": "en", "pipeline": ["tone", "explain"]},
        "components": {
            "tone": {"factory": "mmpipe_sentiment", "model": model},
            "explain": {"factory": "mmpipe_explain"},
        },
    }
    (found,) = mmpipe.load(config, weights=False)(TEXT)._.explanations
    assert any(token["weight"] for token in found["tokens"])
