"""Captions learn and are scored through spaCy's own calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from spacy.language import Language
from spacy.training import Example

import mmpipe

GOLD: list[dict[str, Any]] = [
    {"image": "0.png", "captions": ["the cat sat on the mat", "a lazy cat"]},
    {"images": ["1.png", "2.png"], "captions": [["the sun came out"], ["a wonderful day"]]},
    {"image": "3.png"},
]


def load(checkpoint: str) -> Language:
    block = {
        "factory": "mmpipe_caption",
        "model": {"name": checkpoint, "device": "cpu", "max_new_tokens": 8, "training": {"precision": "fp32"}},
    }
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["caption"]}, "components": {"caption": block}})


def examples(nlp: Language, corpus: Path) -> list[Example]:
    """The reference has the gold; what the model reads has only the images."""
    found = []
    for record in GOLD:
        read = {key: value for key, value in record.items() if key != "captions"}
        found.append(Example(*(mmpipe.make_doc(nlp, one, root=corpus) for one in (read, record))))
    return found


def test_it_learns_by_heart(tiny_captioner: Callable[..., str], corpus: Path) -> None:
    nlp = load(tiny_captioner("vit-gpt2"))
    pipe = nlp.get_pipe("caption")
    given = examples(nlp, corpus)
    assert [pipe.has_gold(example) for example in given] == [True, True, False]
    # Nothing random but the choice of a caption, so that one is enough.
    for example in given[:1]:
        example.reference._.record["captions"] = ["the cat sat on the mat"]
    sgd = nlp.initialize(lambda: given)
    sgd.learn_rate = 0.003
    first = nlp.update(given, sgd=sgd)["caption"]
    for _ in range(40):
        last = nlp.update(given, sgd=sgd)["caption"]
    assert last < first / 4
    found = [mmpipe.to_record(nlp(example.predicted))["captions"] for example in given[:2]]
    assert [caption["text"] for of_doc in found for caption in of_doc] == [
        "the cat sat on the mat",
        "the sun came out",
        "a wonderful day",
    ]
    scores = nlp.evaluate(examples(nlp, corpus)[:2])
    wanted = sacrebleu.corpus_bleu(
        ["the cat sat on the mat", "the sun came out", "a wonderful day"],
        [["the cat sat on the mat", "the sun came out", "a wonderful day"], ["a lazy cat", "", ""]],
        tokenize="none",
    )
    assert scores["caption_bleu4"] == pytest.approx(wanted.score)


def test_of_several_captions_each_has_its_turn_and_a_seed_repeats_it(
    tiny_captioner: Callable[..., str], corpus: Path
) -> None:
    nlp = load(tiny_captioner("vit-gpt2"))
    pipe, given = nlp.get_pipe("caption"), examples(nlp, corpus)[:1]

    def losses() -> list[float]:
        torch.manual_seed(3)
        return [float(pipe.loss(given).detach()) for _ in range(8)]

    losses()  # Loading the weights draws random numbers of its own.
    first = losses()
    assert len({round(loss, 4) for loss in first}) == 2
    assert losses() == first


def test_malformed_gold_is_named(tiny_captioner: Callable[..., str], corpus: Path) -> None:
    nlp = load(tiny_captioner("vit-gpt2"))
    record = {"id": 4, "images": ["0.png", "1.png"], "captions": ["one"]}
    example = Example(mmpipe.make_doc(nlp, record, root=corpus), mmpipe.make_doc(nlp, record, root=corpus))
    with pytest.raises(mmpipe.RecordError, match="record 4"):
        nlp.get_pipe("caption").loss([example])
