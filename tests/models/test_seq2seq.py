"""Judged against Hugging Face: the text that `generate` and `decode` give for one input at a time."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import transformers

from mmpipe.errors import ModelError
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.runtime.batching import BUDGETS
from mmpipe.testing import SEQ2SEQ

TEXTS = [
    "the quick brown fox jumps over the lazy dog and the cat sat on the mat",
    "this film is good",
    "what a wonderful day; it was raining in the morning, then the sun came out.",
    "never again!",
]
LONG = " ".join(TEXTS * 6)
BEAM = {"num_beams": 3, "length_penalty": 0.6, "no_repeat_ngram_size": 2, "early_stopping": True}


def reference_texts(folder: str, texts: list[str], *, prefix: str = "", **options) -> list[str]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    written = []
    for text in texts:
        inputs = tokenizer(prefix + text, return_tensors="pt", truncation=True, return_token_type_ids=False)
        ids = model.generate(**inputs, do_sample=False, **options)
        written.append(tokenizer.decode(ids[0], skip_special_tokens=True).strip())
    return written


@pytest.mark.parametrize("family", SEQ2SEQ)
@pytest.mark.parametrize(
    "options", [{}, BEAM, {"min_new_tokens": 5, "max_new_tokens": 7}], ids=["greedy", "beam", "length"]
)
def test_equals_hugging_face(tiny, family, options):
    folder = tiny(family)
    expected = reference_texts(folder, TEXTS, **options)
    assert len(set(expected)) > 1 and all(expected)
    results = Seq2Seq(folder, device="cpu", **options).predict(TEXTS)
    assert [r.text for r in results] == expected
    assert [r.coverage for r in results] == [1.0] * len(TEXTS)


@pytest.mark.parametrize(("family", "num_beams", "n_calls"), [("bart", 1, 1), ("bart", 4, 2), ("t5", 4, 3)])
def test_texts_of_several_lengths_are_written_about_together(tiny, monkeypatch, family, num_beams, n_calls):
    """As many as have four rows: where there are no beams, or where beams share what they read, more texts."""
    monkeypatch.setitem(BUDGETS, "cpu", 32)
    model = Seq2Seq(tiny(family), device="cpu", num_beams=num_beams, max_new_tokens=3, prefix="")
    module, shapes = shim_of(model).module, []
    generate = module.generate
    monkeypatch.setattr(
        module, "generate", lambda **inputs: shapes.append(inputs["input_ids"].shape) or generate(**inputs)
    )
    model.predict([text[:40] for text in TEXTS] * 2 + ["never", "the lazy dog and the cat", "good film, good day"])
    assert len({len(text[:40]) for text in TEXTS}) > 1 and len(shapes) == n_calls
    assert sum(n_rows for n_rows, _ in shapes) == 7, "what comes twice is written once"


@pytest.mark.parametrize("where", ["argument", "config"])
@pytest.mark.parametrize("long_text", ["window", "truncate"])
def test_prefix(tiny, tmp_path, where, long_text):
    prefix = "it was good: "
    folder = shutil.copytree(tiny("t5"), tmp_path / "model")
    given = prefix
    if where == "config":
        config = json.loads((folder / "config.json").read_text())
        config["task_specific_params"] = {"summarization": {"prefix": prefix}}
        (folder / "config.json").write_text(json.dumps(config))
        given = None
    texts = TEXTS if long_text == "window" else [*TEXTS, LONG]
    expected = reference_texts(str(folder), texts, prefix=prefix)
    assert expected != reference_texts(str(folder), texts), "the prefix must matter"
    model = Seq2Seq(str(folder), device="cpu", prefix=given, long_text=long_text)
    results = model.predict(texts)
    assert [r.text for r in results] == expected
    if long_text == "truncate":
        assert 0 < results[-1].coverage < 1


@pytest.mark.parametrize("prefix", ["", "it was good: "])
def test_long_text_is_the_texts_of_its_windows(tiny, prefix):
    """Each window, decoded and written about by Hugging Face alone, in the order of the text."""
    folder = tiny("t5")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    head = tokenizer(prefix, add_special_tokens=False).input_ids if prefix else []
    # Tokenized together, the space that ends the prefix belongs to the first word of the text.
    head = head[:-1]
    body = tokenizer(prefix + LONG, add_special_tokens=False).input_ids[len(head) :]
    room = 64 - 1 - len(head)
    parts = []
    for start in range(0, len(body), room):
        ids = torch.tensor([[*head, *body[start : start + room], tokenizer.eos_token_id]])
        written = model.generate(ids, do_sample=False)
        parts.append(tokenizer.decode(written[0], skip_special_tokens=True).strip())
    assert len(parts) > 3 and len(set(parts)) > 1
    [result] = Seq2Seq(folder, device="cpu", prefix=prefix).predict([LONG])
    assert (result.text, result.coverage) == (" ".join(filter(None, parts)), 1.0)


def test_prefix_that_leaves_no_room(tiny):
    model = Seq2Seq(tiny("t5"), device="cpu", prefix="never again! " * 20)
    with pytest.raises(ModelError, match="no room"):
        model.predict(["good"])
