"""What a component learns: against torch's own AdamW, Hugging Face's own loss, peft's own merge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, fix_random_seed
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoTokenizer

import mmpipe
from mmpipe.models import classifier, seq2seq
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of

TEXTS = ["this film is good", "never again, not even for free!", "the cat sat on the mat", "bad dog"]
GOLD = [{"good": 1.0, "bad": 0.0}, {"good": 0.0, "bad": 1.0}, {"good": 0.6, "bad": 0.4}, {"good": 0.1, "bad": 0.9}]


def pipeline(name: str, **training: Any) -> tuple[Language, Any]:
    fix_random_seed(1)
    nlp = spacy.blank("en")
    block = {"@architectures": "mmpipe.SequenceClassifier.v1", "name": name, "device": "cpu", "precision": "fp32"}
    block["training"] = {"precision": "fp32", **training}
    return nlp, nlp.add_pipe("mmpipe_sentiment", name="sentiment", config={"model": block})


def examples(nlp: Language) -> list[Example]:
    return [Example.from_dict(nlp.make_doc(text), {"cats": cats}) for text, cats in zip(TEXTS, GOLD, strict=True)]


def is_noise(key: str) -> bool:
    """A softmax does not see the bias of attention's keys: Adam blows up the rounding of a gradient of zero."""
    return key.endswith("key.bias")


def weights(pipe: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in shim_of(pipe.model).module.state_dict().items()}


def test_three_updates_are_those_of_torch(tiny: Callable[..., str]) -> None:
    """Weight decay of matrices only, clipping by the norm of all gradients, rates by a schedule, dropout off."""
    name = tiny("bert", labels=("bad", "good"))
    nlp, pipe = pipeline(name, frozen=["*.embeddings.*"])
    rates = [0.01, 0.003, 0.001]
    sgd = Adam(rates, L2=0.1, grad_clip=0.5, use_averages=False)
    nlp.initialize(lambda: examples(nlp), sgd=sgd)
    reference = AutoModelForSequenceClassification.from_pretrained(name).train()
    reference.bert.embeddings.requires_grad_(False)
    for part in reference.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if hasattr(part, "dropout_prob"):
            part.dropout_prob = 0.0
    learning = [p for p in reference.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in learning if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, eps=1e-8)
    tokenizer = AutoTokenizer.from_pretrained(name)
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    wanted = torch.tensor([[cats["bad"], cats["good"]] for cats in GOLD])
    for rate in rates:
        losses = nlp.update(examples(nlp), sgd=sgd, drop=0.0)
        sgd.step_schedules()
        loss = torch.nn.functional.cross_entropy(reference(**inputs).logits, wanted)
        assert losses["sentiment"] == pytest.approx(loss.item(), abs=1e-5)
        loss.backward()
        assert torch.nn.utils.clip_grad_norm_(learning, 0.5) > 0.5, "clipping is not tested"
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
    found = weights(pipe)
    for key, value in reference.state_dict().items():
        assert is_noise(key) or torch.allclose(found[key], value, atol=5e-5, rtol=1e-3), key
    before = AutoModelForSequenceClassification.from_pretrained(name).state_dict()
    assert all(torch.equal(found[key], before[key]) == ("embeddings" in key) for key in before if key in found)


def test_accumulated_gradients_are_those_of_the_whole_batch(tiny: Callable[..., str]) -> None:
    found = []
    for parts in ([slice(0, 4)], [slice(0, 1), slice(1, 4)]):
        nlp, pipe = pipeline(tiny("bert", labels=("bad", "good")))
        sgd = Adam(0.01, use_averages=False)
        nlp.initialize(lambda nlp=nlp: examples(nlp), sgd=sgd)
        for part in parts:
            nlp.update(examples(nlp)[part], sgd=False, drop=0.0)
        pipe.finish_update(sgd)
        found.append(weights(pipe))
    for key in found[0]:
        assert is_noise(key) or torch.allclose(found[0][key], found[1][key], atol=1e-4, rtol=1e-3), key


@pytest.mark.parametrize("through", ["average_decay", "use_averages"])
def test_the_running_average_predicts_and_is_saved(tiny: Callable[..., str], tmp_path: Path, through: str) -> None:
    nlp, pipe = pipeline(tiny("bert", labels=("bad", "good")), **({"average_decay": 0.5} if through[0] == "a" else {}))
    sgd = Adam(0.01, use_averages=through[0] == "u")
    nlp.initialize(lambda: examples(nlp), sgd=sgd)
    wanted = weights(pipe)
    for count in (1, 2, 3):
        nlp.update(examples(nlp), sgd=sgd, drop=0.0)
        decay = min(0.5 if through[0] == "a" else 0.9999, (1 + count) / (10 + count))
        last = dict(shim_of(pipe.model).trainer.module.named_parameters())  # type: ignore[union-attr]
        wanted |= {key: decay * wanted[key] + (1 - decay) * last[key].detach() for key in wanted if key in last}
    found = weights(pipe)
    assert all(torch.allclose(found[key], wanted[key], atol=1e-6) for key in wanted)
    assert not all(torch.equal(found[key], last[key]) for key in last)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded(TEXTS[0]).cats == nlp(TEXTS[0]).cats
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "sentiment" / "model").state_dict()
    assert all(torch.equal(saved[key], found[key]) for key in found)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_an_adapter_is_merged_when_saved(tiny: Callable[..., str], tmp_path: Path, family: str) -> None:
    pytest.importorskip("peft")
    name = tiny(family)
    nlp, pipe = pipeline(name, adapter={"rank": 2, "alpha": 8.0}, average_decay=0.5)
    sgd = Adam(0.01, use_averages=False)
    nlp.initialize(lambda: examples(nlp), sgd=sgd)
    trainer = shim_of(pipe.model).trainer
    learning = set(trainer.parameters)  # type: ignore[union-attr]
    assert {key for key in learning if "lora_" not in key} == {
        f"{head}.{kind}"
        for head in (["classifier"] if family == "bert" else ["pre_classifier", "classifier"])
        for kind in ("weight", "bias")
    } and len(learning) > 8
    for _ in range(3):
        nlp.update(examples(nlp), sgd=sgd, drop=0.1)
    nlp.to_disk(tmp_path)
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "sentiment" / "model")
    assert not [key for key in saved.state_dict() if "lora" in key or "base_layer" in key]
    base = AutoModelForSequenceClassification.from_pretrained(name).state_dict()
    changed = [key for key, value in saved.state_dict().items() if key in base and not torch.equal(value, base[key])]
    assert any("attention" in key for key in changed) and not any("embeddings" in key for key in changed)
    loaded = spacy.load(tmp_path)
    for text in TEXTS:
        assert loaded(text).cats == pytest.approx(nlp(text).cats, abs=1e-5)


def test_a_checkpoint_keeps_the_head_that_fits(tiny: Callable[..., str]) -> None:
    nlp, pipe = pipeline(tiny("bert", labels=("bad", "good", "so-so")))
    before = classifier.labels(pipe.model)
    old = AutoModelForSequenceClassification.from_pretrained(tiny("bert", labels=("bad", "good", "so-so")))
    nlp.initialize(lambda: examples(nlp))
    assert list(pipe.labels) == before
    assert torch.equal(weights(pipe)["classifier.weight"], old.classifier.weight)


def test_other_labels_get_a_new_head_and_the_same_encoder(tiny: Callable[..., str], tmp_path: Path) -> None:
    name = tiny("bert", labels=("x", "y"))
    nlp, pipe = pipeline(name, saved_precision="fp16")
    nlp.initialize(lambda: examples(nlp))
    assert pipe.labels == ("bad", "good")
    old, new = AutoModelForSequenceClassification.from_pretrained(name).state_dict(), weights(pipe)
    assert {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])} == {"classifier"}
    nlp.to_disk(tmp_path)
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "sentiment" / "model")
    assert saved.config.id2label == {0: "bad", 1: "good"}
    assert all(torch.equal(saved.state_dict()[key], value.half().float()) for key, value in new.items())
    assert spacy.load(tmp_path)(TEXTS[0]).cats == pytest.approx(nlp(TEXTS[0]).cats, abs=2e-3)


def test_labels_can_be_given_with_their_order(tiny: Callable[..., str]) -> None:
    nlp, pipe = pipeline(tiny("bert"))
    pipe.initialize(lambda: examples(nlp), nlp=nlp, labels=["good", "bad", "ugly"])
    assert pipe.labels == ("good", "bad", "ugly")


def test_trained_weights_are_saved_whatever_save_weights_says(tiny: Callable[..., str], tmp_path: Path) -> None:
    nlp, pipe = pipeline(tiny("bert"))
    pipe.cfg["save_weights"] = False
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(tmp_path)
    assert (tmp_path / "sentiment" / "model" / "model.safetensors").is_file()
    assert spacy.load(tmp_path)(TEXTS[0]).cats == nlp(TEXTS[0]).cats


def test_dropout_is_that_of_the_update(tiny: Callable[..., str]) -> None:
    nlp, _ = pipeline(tiny("bert"))
    nlp.initialize(lambda: examples(nlp))

    def losses(drop: float) -> list[float]:
        return [nlp.update(examples(nlp), drop=drop, sgd=False, losses={})["sentiment"] for _ in range(3)]

    assert len(set(losses(0.0))) == 1
    assert len(set(losses(0.5))) == 3


def test_bf16_learns_as_well(tiny: Callable[..., str]) -> None:
    nlp, pipe = pipeline(tiny("bert"), precision="bf16")
    sgd = Adam(0.005, use_averages=False)
    nlp.initialize(lambda: examples(nlp), sgd=sgd)
    losses = [nlp.update(examples(nlp), sgd=sgd, drop=0.0, losses={})["sentiment"] for _ in range(25)]
    assert losses[-1] < losses[0] - 0.1
    assert all(value.dtype == torch.float32 for value in weights(pipe).values() if value.is_floating_point())


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"frozen": ["*.embedings.*"]}, "fits the name of no parameter"),
        ({"frozen": ["*"]}, "every parameter is frozen"),
        ({"adapter": {"targets": ["qwery"]}}, "fit the name of no linear layer"),
    ],
)
def test_what_cannot_be_trained_is_said(tiny: Callable[..., str], training: dict, said: str) -> None:
    nlp, _ = pipeline(tiny("bert"), **training)
    with pytest.raises(mmpipe.ModelError, match=said):
        nlp.initialize(lambda: examples(nlp))


def test_a_loss_that_is_no_number_ends_the_training(tiny: Callable[..., str]) -> None:
    nlp, _ = pipeline(tiny("bert"))
    sgd = Adam(1e30, use_averages=False, grad_clip=0.0)
    nlp.initialize(lambda: examples(nlp), sgd=sgd)
    with pytest.raises(mmpipe.ModelError, match="learn rate"):
        for _ in range(4):
            nlp.update(examples(nlp), sgd=sgd)


def test_windows_of_a_long_text_learn_together(tiny: Callable[..., str]) -> None:
    """The loss is that of the averaged logits which the same model predicts with."""
    name = tiny("bert", labels=("bad", "good"))
    model = SequenceClassifier(name, precision="fp32", training={"precision": "fp32"})
    text = "the cat sat on the mat and never looked at the good rain. " * 12
    predicted = model.predict([text])[0]
    wanted = np.array([[0.3, 0.7]], dtype=np.float32)
    shifted = predicted.logits - np.log(np.exp(predicted.logits).sum())
    assert classifier.loss(model, [text], wanted).item() == pytest.approx(-(wanted[0] @ shifted), abs=1e-4)


@pytest.mark.parametrize("family", ["bart", "t5", "pegasus"])
def test_the_loss_of_a_written_summary_is_hugging_faces(tiny: Callable[..., str], family: str) -> None:
    name = tiny(family)
    model = Seq2Seq(name, device="cpu", prefix="", training={"precision": "fp32"})
    targets = ["the cat sat", "a wonderful day; it was raining"]
    tokenizer, reference = AutoTokenizer.from_pretrained(name), AutoModelForSeq2SeqLM.from_pretrained(name).eval()
    inputs = tokenizer(TEXTS[:2], padding=True, return_tensors="pt", return_token_type_ids=False)
    labels = tokenizer(text_target=targets, padding=True, return_tensors="pt")["input_ids"]
    labels[labels == tokenizer.pad_token_id] = -100
    with torch.no_grad():
        wanted = reference(**inputs, labels=labels).loss.item()
    assert seq2seq.loss(model, TEXTS[:2], targets).item() == pytest.approx(wanted, rel=1e-4)


def test_adapters_say_what_they_need(tiny: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    nlp, _ = pipeline(tiny("bert"), adapter={})
    with pytest.raises(mmpipe.ModelError, match=r"mmpipe\[peft\]"):
        nlp.initialize(lambda: examples(nlp))


def test_an_output_tied_to_the_embeddings_gets_no_adapter(tiny: Callable[..., str], tmp_path: Path) -> None:
    """Merged into the weight that both share, it would change the embeddings, too."""
    pytest.importorskip("peft")
    settings: dict[str, Any] = {"device": "cpu", "prefix": ""}
    model = Seq2Seq(tiny("t5"), **settings, training={"precision": "fp32", "adapter": {"rank": 2}})
    targets, sgd = ["the cat sat", "a wonderful day"], Adam(0.05, use_averages=False)
    assert shim_of(model).config.tie_word_embeddings
    for _ in range(3):
        shim_of(model).start_training().backward(seq2seq.loss(model, TEXTS[:2], targets), 2)
        shim_of(model).finish_update(sgd)
    shim_of(model).to_disk(tmp_path)
    base, saved = (AutoModelForSeq2SeqLM.from_pretrained(name).state_dict() for name in (tiny("t5"), tmp_path))
    assert torch.equal(base["shared.weight"], saved["shared.weight"])
    adapted = "encoder.block.0.layer.0.SelfAttention.q.weight"
    assert not torch.equal(base[adapted], saved[adapted])
