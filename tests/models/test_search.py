"""Searches that inputs leave once they have ended: the texts are those of `generate` for each input alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers

from mmpipe.models import search
from mmpipe.models.image_to_text import ImageToText
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.testing import SEQ2SEQ

TEXTS = [
    "This film is good.",
    "The film was long and bad. The film was long and bad.",
    "Bad?",
    "one two three four five six seven eight",
    "Good good good",
    "The cat sat on the mat and never was it quick.",
    "film",
    "Bad cat",
    "Never?",
    "Good.",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "no repetition": {"no_repeat_ngram_size": 2},
    "at least": {"min_new_tokens": 6},
    "beams": {"num_beams": 4, "early_stopping": True},
    "beams, none left": {"num_beams": 3},
    "beams to the end": {"num_beams": 3, "early_stopping": "never", "length_penalty": 2.0},
    "short beams": {"num_beams": 2, "length_penalty": -1.0, "no_repeat_ngram_size": 3, "repetition_penalty": 1.3},
}


def alone(folder: str | Path, options: dict[str, Any]) -> list[str]:
    """By transformers' own classes, one at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    found = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        (ids,) = model.generate(**inputs, do_sample=False, **options)
        found.append(tokenizer.decode(ids, skip_special_tokens=True).strip())
    return found


def ours(folder: str | Path, **options: Any) -> list[str]:
    return [result.text for result in Seq2Seq(str(folder), device="cpu", **options).predict(TEXTS)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[search.Steps, list[int]]:
    """How many rows each step of a batch had."""
    found: dict[search.Steps, list[int]] = {}
    logits = search.Steps.logits
    monkeypatch.setattr(
        search.Steps, "logits", lambda self, ids: found.setdefault(self, []).append(len(ids)) or logits(self, ids)
    )
    return found


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_ended_inputs_leave_and_texts_stay(brief, calls, options):
    wanted = alone(brief, options)
    assert ours(brief, **options) == wanted and len({len(text) for text in wanted}) > 2
    assert sum(rows[0] for rows in calls.values()) == len(wanted) * options.get("num_beams", 1)
    assert all(rows == sorted(rows, reverse=True) for rows in calls.values())
    may_leave = options.get("early_stopping") != "never"  # Until all are as long as may be, there.
    assert any(rows[0] > rows[-1] for rows in calls.values()) or not may_leave, "rows have left"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("family", SEQ2SEQ)
def test_every_family_is_searched_as_by_generate(tiny, family, calls, options):
    options = {"max_new_tokens": 12, **options}
    # Without a prefix of mmpipe's for T5, transformers is told the same text.
    assert ours(tiny(family), prefix="", **options) == alone(tiny(family), options) and calls


def test_one_row_is_read_for_all_beams_at_the_beginning(brief, monkeypatch):
    model, n_rows = Seq2Seq(str(brief), device="cpu", num_beams=4), []
    decoder = shim_of(model).module.model.decoder
    decoder.register_forward_pre_hook(lambda _, args, given: n_rows.append(len(given["input_ids"])), with_kwargs=True)
    model.predict(["Bad?", "film", "good"])
    assert n_rows[:2] == [3, 12]


def test_what_looks_at_more_than_its_row_is_searched_by_transformers(brief, calls, tmp_path):
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(brief)
    model.generation_config.encoder_no_repeat_ngram_size = 2
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(brief).save_pretrained(tmp_path)
    assert ours(tmp_path) == alone(tmp_path, {}) != alone(brief, {}) and not calls


@pytest.mark.parametrize(("family", "is_ours"), [("grid-gpt2", True), ("vit-gpt2", True), ("git", False)])
def test_pictures_are_searched_so_where_what_is_read_is_known(tiny, family, is_ours, calls):
    from PIL import Image

    model = ImageToText(tiny(family), num_beams=2, max_new_tokens=4)
    assert model.predict([Image.new("RGB", (40, 30), color) for color in ("red", "blue", "white")])
    assert bool(calls) == is_ours
