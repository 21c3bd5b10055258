"""Backend ctranslate2 against torch: the same checkpoint, the same texts."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from mmpipe.errors import ModelError
from mmpipe.models import ct2_module
from mmpipe.models.exported import cache_folder
from mmpipe.models.seq2seq import Seq2Seq
from mmpipe.models.transformer import shim_of
from mmpipe.testing import SEQ2SEQ

pytest.importorskip("ctranslate2", reason="CTranslate2 is not installed")

TEXTS = [
    "This film is good.",
    "",
    "The film was long and bad. " * 30,
    "Bad?",
    "one two three four five six seven eight",
    "Good good good",
]
OPTIONS = {
    "as it is": {},
    "longer": {"max_new_tokens": 20, "min_new_tokens": 15},
    "no repetition": {"max_new_tokens": 20, "no_repeat_ngram_size": 2},
    "beams": {"num_beams": 4, "early_stopping": True},
    "few beams": {"num_beams": 2, "early_stopping": True, "max_new_tokens": 8},
}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMPIPE_CACHE", str(tmp_path / "cache"))


def both(folder: Any, **options: Any) -> tuple[list[str], list[str]]:
    return tuple(
        [result.text for result in Seq2Seq(str(folder), device="cpu", backend=backend, **options).predict(TEXTS)]
        for backend in ("torch", "ctranslate2")
    )


# Others begin with the padding token, which random weights write, too: transformers counts it among what was said.
CASES = [(family, name) for family in SEQ2SEQ for name in OPTIONS if name != "no repetition" or family == "bart"]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_it_writes_what_torch_writes(family, name, tiny):
    wanted, got = both(tiny(family), **OPTIONS[name])
    differing = [(given, text) for given, text, other in zip(TEXTS, got, wanted, strict=True) if text != other]
    assert all(text in as_likely(tiny(family), given, **OPTIONS[name]) for given, text in differing)
    assert len(differing) <= 1 and len(set(wanted)) >= len(TEXTS) - 1


def as_likely(folder: Any, text: str, **options: Any) -> list[str]:
    """The texts of transformers' beams whose scores lie within 0.001 of the best: random weights leave ties, which the
    last bit of a product breaks."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    beams = {"num_return_sequences": options.get("num_beams", 1), "output_scores": True}
    out = model.generate(**tokenizer(text, return_tensors="pt"), return_dict_in_generate=True, **beams, **options)
    if options.get("num_beams", 1) == 1:
        return tokenizer.batch_decode(out.sequences, skip_special_tokens=True)
    close = out.sequences_scores >= out.sequences_scores.max() - 0.001
    return [text.strip() for text in tokenizer.batch_decode(out.sequences[close], skip_special_tokens=True)]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"forced_bos_token_id": 7}, {}),
        ({"forced_eos_token_id": None}, {}),
        ({"forced_eos_token_id": None}, {"num_beams": 3, "early_stopping": True}),
        ({"max_length": 6}, {}),
        ({"min_length": 10}, {}),
    ],
)
def test_settings_of_the_checkpoint_are_kept(settings, options, brief, tmp_path):
    folder = shutil.copytree(brief, tmp_path / "changed")
    file = folder / "generation_config.json"
    given = json.loads(file.read_text())
    if "max_length" in settings:
        given.pop("max_new_tokens")
    file.write_text(json.dumps(given | settings))
    wanted, got = both(folder, **options)
    assert got == wanted != both(brief, **options)[0]


def test_texts_that_end_sooner_than_others(brief):
    wanted, got = both(brief)
    assert got == wanted and len({len(text) for text in wanted}) > 3


def test_int8_and_the_cache(tiny, monkeypatch):
    model = Seq2Seq(tiny("bart"), backend="ctranslate2", precision="int8")
    assert [result.text for result in model.predict(TEXTS)] and not shim_of(model).is_torch
    assert shim_of(model).provenance["precision"] == "int8"
    monkeypatch.setattr(ct2_module, "_make", None)
    Seq2Seq(tiny("bart"), backend="ctranslate2").predict(TEXTS)  # One conversion serves both.
    assert len(list((cache_folder() / "ctranslate2").iterdir())) == 1, "nothing but the model is left"


def test_what_is_converted_wrongly_is_refused_or_falls_back(tiny, monkeypatch, caplog):
    def wrong(checkpoint, module, folder):
        with torch.no_grad():
            module.get_output_embeddings().weight *= 1.05
        check(checkpoint, module, folder)

    check = ct2_module._check
    monkeypatch.setattr(ct2_module, "_check", wrong)
    with pytest.raises(ModelError, match="it gives words other probabilities"):
        Seq2Seq(tiny("bart"), backend="ctranslate2").predict(TEXTS)
    model = Seq2Seq(tiny("bart"), backend="ctranslate2 or torch")
    wanted = Seq2Seq(tiny("bart"), device="cpu").predict(TEXTS)
    assert model.predict(TEXTS) == wanted and "torch runs it" in caplog.text and shim_of(model).is_torch


def test_what_cannot_be_is_said(tiny, monkeypatch):
    with pytest.raises(ModelError, match="runs on the processor, not on 'cuda:0'"):
        Seq2Seq(tiny("bart"), backend="ctranslate2", device="cuda:0").predict(TEXTS)
    with pytest.raises(ModelError, match="no precision 'bf16'"):
        Seq2Seq(tiny("bart"), backend="ctranslate2", precision="bf16").predict(TEXTS)
    with pytest.raises(ModelError, match='set backend = "ctranslate2"'):
        Seq2Seq(tiny("bart"), precision="int8").predict(TEXTS)
    with pytest.raises(ModelError, match="early_stopping = true"):
        Seq2Seq(tiny("bart"), backend="ctranslate2", num_beams=4).predict(TEXTS)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(ModelError, match=r"pip install 'mmpipe\[ctranslate2\]'"):
        Seq2Seq(tiny("bart"), backend="ctranslate2").predict(TEXTS)


def test_a_setting_that_it_does_not_know(tiny, tmp_path):
    folder = shutil.copytree(tiny("t5"), tmp_path / "t5")
    given = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(given | {"encoder_no_repeat_ngram_size": 3}))
    with pytest.raises(ModelError, match="does not know the setting encoder_no_repeat_ngram_size"):
        Seq2Seq(str(folder), backend="ctranslate2").predict(TEXTS)
