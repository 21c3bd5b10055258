"""Judged against Hugging Face: logits of its own classes, scores of its text-classification pipeline."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from mmpipe.models.classifier import SequenceClassifier, labels, probabilities
from mmpipe.testing import CLASSIFIERS

TEXTS = [
    "this film is good",
    "never again, not even for free!",
    "cat",
    "what a wonderful day; it was raining in the morning",
]
LABELS = ("bad", "good", "mixed")


def reference_logits(folder: str, texts: list[str], **options) -> np.ndarray:
    """One text at a time, so that no padding takes part."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return np.concatenate([model(**tokenizer(t, return_tensors="pt", **options)).logits.numpy() for t in texts])


@pytest.mark.parametrize("family", CLASSIFIERS)
@pytest.mark.parametrize("is_multi_label", [False, True])
def test_equals_hugging_face(tiny, family, is_multi_label):
    folder = tiny(family, labels=LABELS, is_multi_label=is_multi_label)
    model = SequenceClassifier(folder, precision="fp32", device="cpu")
    results = model.predict(TEXTS)
    expected = reference_logits(folder, TEXTS)
    assert np.ptp(expected, axis=0).min() > 0.05, "the texts must differ for this to mean anything"
    np.testing.assert_allclose([r.logits for r in results], expected, atol=1e-4)
    judge = transformers.pipeline("text-classification", folder, tokenizer=folder, top_k=None, device="cpu")
    for result, scores in zip(results, judge(TEXTS), strict=True):
        ours = dict(zip(labels(model), map(float, result.probabilities), strict=True))
        assert ours == pytest.approx({s["label"]: s["score"] for s in scores}, abs=1e-4)
        assert result.coverage == 1.0


@pytest.mark.parametrize("problem", [None, "regression"])
def test_one_output(tiny, tmp_path, problem):
    """Hugging Face gives a sigmoid for one label, and the plain value for a regression."""
    folder = shutil.copytree(tiny("bert", labels=("score",)), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": problem}))
    judge = transformers.pipeline("text-classification", str(folder), device="cpu")
    ours = SequenceClassifier(str(folder), precision="fp32", device="cpu").predict(TEXTS)
    assert [float(r.probabilities[0]) for r in ours] == pytest.approx([s["score"] for s in judge(TEXTS)], abs=1e-4)


@pytest.mark.parametrize("pad_token", [None, "<|end|>"])
def test_decoder_that_reads_its_last_token(tmp_path, pad_token):
    """GPT-2 takes the last token that is not padding, and one without a padding token takes the last of all."""
    from mmpipe.testing.checkpoints import _tokenizer

    core = _tokenizer("roberta", 64).backend_tokenizer
    from tokenizers.processors import ByteLevel

    core.post_processor = ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, pad_token=pad_token)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=4, num_labels=2
    )
    config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(0)
    model = transformers.GPT2ForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10.0 if parameter.dim() > 1 else 1.0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ours = SequenceClassifier(str(tmp_path), precision="fp32", device="cpu").predict(TEXTS)
    np.testing.assert_allclose([r.logits for r in ours], reference_logits(str(tmp_path), TEXTS), atol=1e-4)


def test_extreme_logits_give_probabilities_without_warnings(recwarn):
    values = probabilities(np.array([-1e4, 0.0, 1e4], dtype=np.float32), is_multi_label=True)
    assert values.tolist() == [0.0, 0.5, 1.0] and not recwarn.list
