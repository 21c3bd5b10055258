"""Labels that are learned: what a Hugging Face checkpoint gives, what training makes of one, how it is judged."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from confection import Config
from sklearn.metrics import f1_score
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, fix_random_seed
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

import mmpipe
from mmpipe.testing import AWKWARD_TEXTS

LABELS = ("rude", "funny", "long")
TEXTS = [
    "This film is good.",
    "What a wonderful day; it was raining, then the sun came out!",
    "The quick brown fox jumps over the lazy dog and the cat sat on the mat.",
]
WORDS = {"film": "film", "dog": "dog", "day": "day"}


def tree(checkpoint: str, **settings: Any) -> dict[str, Any]:
    model = {"name": checkpoint, "precision": "fp32", "device": "cpu", **settings.pop("model", {})}
    component = {"factory": "mmpipe_text_classifier", "model": model, **settings}
    return {"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}}


def load(checkpoint: str, **settings: Any) -> Language:
    return mmpipe.load(tree(checkpoint, **settings))


def logits(checkpoint: str, texts: list[str]) -> torch.Tensor:
    tokenizer, model = (
        kind.from_pretrained(checkpoint) for kind in (AutoTokenizer, AutoModelForSequenceClassification)
    )
    with torch.inference_mode():
        return torch.cat([model.eval()(**tokenizer(text, return_tensors="pt")).logits for text in texts])


def records(count: int, seed: int) -> list[dict[str, Any]]:
    """Each with the labels of the words that it holds: none, one or several."""
    draw, found = random.Random(seed), []
    for _ in range(count):
        labels = [label for label in WORDS if draw.random() < 0.4]
        words = [WORDS[label] for label in labels] + draw.choices(["the", "is", "was", "it"], k=2)
        draw.shuffle(words)
        found.append({"text": " ".join(words), "label": labels})
    return found


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_scores_are_hugging_faces_and_labels_those_over_their_threshold(
    tiny: Callable[..., str], is_multi_label: bool
) -> None:
    name = tiny("bert", labels=LABELS, is_multi_label=is_multi_label)
    rows = logits(name, TEXTS)
    rows = rows.sigmoid() if is_multi_label else rows.softmax(-1)
    for doc, row in zip(load(name).pipe(TEXTS), rows.tolist(), strict=True):
        result, wanted = doc._.topics, dict(zip(LABELS, row, strict=True))
        assert result["scores"] == pytest.approx(wanted, abs=1e-4)
        ranked = sorted(LABELS, key=lambda label: -wanted[label])
        assert result["labels"] == (
            [label for label in ranked if wanted[label] >= 0.5] if is_multi_label else ranked[:1]
        )
        assert doc.cats == {f"topic_{label}": score for label, score in result["scores"].items()}
    strict = load(name, threshold={"rude": 1.0, "funny": 0.0}, top_k=3)(TEXTS[0])._.topics
    assert "rude" not in strict["labels"] and "funny" in strict["labels"]


def test_it_learns_several_labels_and_none(tiny: Callable[..., str], tmp_path: Path) -> None:
    """The loss is torch's binary cross-entropy; the saved folder is a multi-label checkpoint of Hugging Face's."""
    fix_random_seed(1)
    nlp = spacy.blank("en")
    block = {
        "@architectures": "mmpipe.SequenceClassifier.v1",
        "name": tiny("bert"),
        "device": "cpu",
        "precision": "fp32",
    }
    block["training"] = {"precision": "fp32"}
    pipe = nlp.add_pipe("mmpipe_text_classifier", name="topics", config={"model": block, "multi_label": True})
    rows = records(60, 1)
    examples = [
        Example.from_dict(nlp.make_doc(r["text"]), {"cats": {f"topic_{w}": float(w in r["label"]) for w in WORDS}})
        for r in rows
    ]
    assert any(not r["label"] for r in rows) and any(len(r["label"]) > 1 for r in rows)
    sgd = Adam(0.005, L2=0.0, use_averages=False)
    nlp.initialize(lambda: examples, sgd=sgd)
    assert pipe.labels == ("day", "dog", "film")
    pipe.to_disk(tmp_path / "before")
    before = logits(str(tmp_path / "before" / "model"), [r["text"] for r in rows])
    wanted = torch.tensor([[float(label in r["label"]) for label in pipe.labels] for r in rows])
    losses = [nlp.update(examples, sgd=sgd, drop=0.0)["topics"] for _ in range(40)]
    assert losses[0] == pytest.approx(
        torch.nn.functional.binary_cross_entropy_with_logits(before, wanted).item(), abs=1e-4
    )
    assert losses[-1] < losses[0] / 2
    nlp.to_disk(tmp_path / "nlp")
    folder = tmp_path / "nlp" / "topics" / "model"
    assert AutoConfig.from_pretrained(folder).problem_type == "multi_label_classification"
    scores = logits(str(folder), [r["text"] for r in rows]).sigmoid()
    docs = list(spacy.load(tmp_path / "nlp").pipe([r["text"] for r in rows]))
    assert [list(doc._.topics["scores"].values()) for doc in docs] == [
        pytest.approx(row, abs=1e-4) for row in scores.tolist()
    ]
    assert sum(sorted(doc._.topics["labels"]) == sorted(r["label"]) for doc, r in zip(docs, rows, strict=True)) >= 54


def test_a_head_of_the_other_kind_is_not_kept(tiny: Callable[..., str]) -> None:
    name = tiny("bert", labels=tuple(WORDS))
    with pytest.raises(mmpipe.ModelError, match="multi_label = true asks for one or several labels"):
        load(name, multi_label=True)(TEXTS[0])
    for is_multi_label, is_same in ((None, True), (False, True), (True, False)):
        nlp = load(name, multi_label=is_multi_label, cats_prefix="")
        cats = dict.fromkeys(WORDS, 0.0) | {"dog": 1.0}
        nlp.initialize(lambda nlp=nlp, cats=cats: [Example.from_dict(nlp.make_doc("lazy dog"), {"cats": cats})])
        kept = torch.tensor(list(nlp(TEXTS[0])._.topics["scores"].values()))
        assert torch.allclose(kept, logits(name, TEXTS[:1])[0].softmax(-1), atol=1e-4) == is_same


def test_trained_and_judged_by_the_commands(tiny: Callable[..., str], tmp_path: Path, monkeypatch: Any) -> None:
    """JSON lines, some of records without labels; judged by the thresholds of the component."""
    from mmpipe.cli.main import main

    for name, count, seed in (("train", 160, 1), ("dev", 40, 2)):
        rows = "".join(json.dumps({"id": str(i), **row}) + "\n" for i, row in enumerate(records(count, seed)))
        (tmp_path / f"{name}.jsonl").write_text(rows, "utf-8")
    training = tree(tiny("bert"), multi_label=True, threshold={"dog": 0.6}, model={"training": {"precision": "fp32"}})
    training |= {
        "paths": {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "dev")},
        "training": {
            "max_steps": 60,
            "eval_frequency": 30,
            "batcher": {"max_examples": 32},
            "dropout": 0.0,
            "optimizer": {"learn_rate": {"initial_rate": 0.01, "warmup_steps": 5}},
        },
    }
    Config(training).to_disk(tmp_path / "train.cfg")
    out = tmp_path / "out"

    def mmpipe_command(*arguments: object) -> None:
        monkeypatch.setattr("sys.argv", ["mmpipe", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        assert not done.value.code

    mmpipe_command("train", tmp_path / "train.cfg", "-o", out)
    best, dev = out / "model-best", tmp_path / "dev.jsonl"
    mmpipe_command("evaluate", best, dev, "-o", out / "found.json", "--bootstrap", 0)
    figures = json.loads((out / "found.json").read_text("utf-8"))["tasks"]["topics"]
    rows = records(40, 2)
    docs = list(mmpipe.load(best).pipe([row["text"] for row in rows]))
    gold, said = (
        [[label in labels for label in sorted(WORDS)] for labels in side]
        for side in ([row["label"] for row in rows], [doc._.topics["labels"] for doc in docs])
    )
    assert figures["counts"]["records"] == 40
    assert (
        figures["figures"]["f1_macro"] == pytest.approx(f1_score(gold, said, average="macro"))
        and f1_score(gold, said, average="macro") > 0.8
    )


def test_an_encoder_that_is_shared_gives_one_label() -> None:
    model = {
        "@architectures": "mmpipe.ListenerClassifier.v1",
        "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 16},
    }
    for setting in ("multi_label", "per_sentence"):
        component = {"factory": "mmpipe_text_classifier", "model": model, setting: True}
        config = {"nlp": {"lang": "en", "pipeline": ["topics"]}, "components": {"topics": component}}
        with pytest.raises(mmpipe.ConfigError, match="a shared encoder"):
            mmpipe.load(config)


def test_an_encoder_without_a_head_and_labels_given_are_told(tiny: Callable[..., str]) -> None:
    with pytest.raises(mmpipe.ModelError, match="no weights for"):
        load(tiny("bert"))
    block = {"@architectures": "mmpipe_classify.Embeddings.v1"}
    with pytest.raises(mmpipe.ConfigError, match="learns nothing"):
        load(tiny("bert"), model=block)
    with pytest.raises(mmpipe.ConfigError, match="no label 'cat'"):
        load(tiny("bert", labels=LABELS), threshold={"cat": 0.5})(TEXTS[0])


def test_sentences_and_awkward_texts(tiny: Callable[..., str]) -> None:
    nlp = load(tiny("bert", labels=LABELS, is_multi_label=True), per_sentence=True, threshold=0.3)
    texts = list(AWKWARD_TEXTS.values())
    for doc, text in zip(nlp.pipe(texts, batch_size=7), texts, strict=True):
        assert doc._.topics == nlp(text)._.topics
        for sent, span in zip(doc._.topics["sentences"], doc.spans["topics"], strict=True):
            assert text[sent["start"] : sent["end"]] == span.text and span.label_ == (sent["label"] or "")
            assert set(sent) == {"start", "end", "label", "score", "labels"}
