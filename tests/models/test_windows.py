"""Texts longer than the model: what is read, what is said about it, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.errors import ModelError, RecordError
from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.windows import model_max_tokens, read_texts, window_size
from mmpipe.testing import CLASSIFIERS, SEQ2SEQ

LABELS = ("bad", "good")
LONG = "the quick brown fox jumps over the lazy dog and the cat sat on the mat. " * 12
SHORT = "this film is good"


def classify(folder: str, texts: list[str], **options) -> list:
    return SequenceClassifier(folder, precision="fp32", device="cpu", **options).predict(texts)


@pytest.fixture(params=CLASSIFIERS)
def folder(request, tiny) -> str:
    return tiny(request.param, labels=LABELS)


@pytest.fixture
def judge(folder):
    """Hugging Face's tokenizer, and its logits for a list of piece ids."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def logits(ids: list[int]) -> np.ndarray:
        with torch.no_grad():
            return model(input_ids=torch.tensor([ids])).logits[0].numpy()

    return tokenizer, logits


def test_truncation_equals_hugging_face(folder, judge):
    tokenizer, logits = judge
    short, long = classify(folder, [SHORT, LONG], long_text="truncate")
    assert short.coverage == 1.0
    n_read = 64 - tokenizer.num_special_tokens_to_add()
    assert long.coverage == pytest.approx(n_read / len(tokenizer(LONG, add_special_tokens=False).input_ids))
    assert 0 < long.coverage < 1
    np.testing.assert_allclose(long.logits, logits(tokenizer(LONG, truncation=True).input_ids), atol=1e-4)


@pytest.mark.parametrize("stride_tokens", [0, 20])
def test_windows_are_merged_by_what_each_is_first_to_read(folder, judge, stride_tokens):
    tokenizer, logits = judge
    body = tokenizer(LONG, add_special_tokens=False).input_ids
    whole = tokenizer(LONG).input_ids
    room = 64 - (len(whole) - len(body))
    rows, weights, seen = [], [], 0
    for start in range(0, len(body), room - stride_tokens):
        piece = body[start : start + room]
        rows.append(logits([whole[0], *piece, whole[-1]]))
        weights.append(start + len(piece) - seen)
        seen = start + len(piece)
        if seen == len(body):
            break
    assert len(rows) > 2
    [result] = classify(folder, [LONG], stride_tokens=stride_tokens)
    np.testing.assert_allclose(result.logits, np.average(rows, axis=0, weights=weights), atol=1e-4)
    assert result.coverage == 1.0


def test_error_is_for_the_record(folder):
    assert classify(folder, [SHORT], long_text="error")[0].coverage == 1.0
    with pytest.raises(RecordError, match="more than the model's"):
        classify(folder, [SHORT, LONG], long_text="error")


class TestReading:
    @pytest.fixture(scope="class", params=[*CLASSIFIERS, *SEQ2SEQ])
    def tokenizer(self, request, tiny):
        return transformers.AutoTokenizer.from_pretrained(tiny(request.param))

    @given(text=st.text(max_size=300), max_tokens=st.integers(3, 70), stride=st.integers(0, 80))
    def test_every_token_is_read_once(self, tokenizer, text, max_tokens, stride):
        [reading] = read_texts(tokenizer, [text], max_tokens=max_tokens, stride_tokens=stride, long_text="window")
        body = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        assert (reading.n_pieces, reading.coverage) == (len(body), 1.0)
        assert sum(window.n_new_pieces for window in reading.windows) == len(body)
        frame = tokenizer("", add_special_tokens=True).input_ids
        new: list[int] = []
        for window in reading.windows:
            assert len(window) <= max_tokens and window.n_new_pieces > 0
            inner = window.inputs["input_ids"]
            inner = inner[1:-1] if len(frame) == 2 else inner[:-1]
            assert [*inner[: -window.n_new_pieces]] == new[len(new) - len(inner) + window.n_new_pieces :]
            new += inner[-window.n_new_pieces :]
        assert new == body
        if len(reading.windows) == 1:
            assert reading.windows[0].inputs == {name: tokenizer(text)[name] for name in reading.windows[0].inputs}

    @given(text=st.text(min_size=1, max_size=200), max_tokens=st.integers(3, 40))
    def test_truncation_is_the_tokenizers(self, tokenizer, text, max_tokens):
        [reading] = read_texts(tokenizer, [text], max_tokens=max_tokens, stride_tokens=9, long_text="truncate")
        expected = tokenizer(text, truncation=True, max_length=max_tokens).input_ids
        body = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        if not body:
            assert reading.windows == ()
            return
        assert [window.inputs["input_ids"] for window in reading.windows] == [expected]
        n_read = len(expected) - tokenizer.num_special_tokens_to_add()
        assert reading.coverage == pytest.approx(n_read / len(body))


def test_tokenizer_that_truncates_on_the_left(tiny):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny("bert"), truncation_side="left")
    options = {"max_tokens": 64, "stride_tokens": 8}
    [cut] = read_texts(tokenizer, [LONG], long_text="truncate", **options)
    assert cut.windows[0].inputs["input_ids"] == tokenizer(LONG, truncation=True, max_length=64).input_ids
    [whole] = read_texts(tokenizer, [LONG], long_text="window", **options)
    first = tokenizer(LONG, verbose=False).input_ids[:63]
    assert whole.windows[0].inputs["input_ids"][:63] == first, "windows stand in the order of the text"


def test_half_a_surrogate_pair_is_the_records_fault(tiny):
    with pytest.raises(RecordError, match="surrogate"):
        classify(tiny("bert", labels=LABELS), ["good \ud83d film"])


class TestLimits:
    @pytest.mark.parametrize("family", CLASSIFIERS)
    def test_position_table_is_used_to_its_last_row(self, tiny, family):
        """RoBERTa's table has two rows more than it reads; one token more than that must break Hugging Face."""
        folder = tiny(family, labels=LABELS, max_tokens=48)
        config = transformers.AutoConfig.from_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=10**30)
        assert model_max_tokens(config, tokenizer) == 48
        assert config.max_position_embeddings == (50 if family == "roberta" else 48)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
        ids = torch.full((1, 49), 7)
        with torch.no_grad():
            model(input_ids=ids[:, :48])
            with pytest.raises((IndexError, RuntimeError)):
                model(input_ids=ids)

    @pytest.mark.parametrize("max_tokens", [2, 65, -1])
    def test_impossible_max_tokens(self, tiny, max_tokens):
        with pytest.raises(ModelError, match="reads 3 to 64 tokens"):
            classify(tiny("bert", labels=LABELS), [SHORT], max_tokens=max_tokens)

    def test_model_without_any_limit(self, tiny):
        folder = tiny("t5")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=10**30)
        config = transformers.T5Config()
        assert not hasattr(config, "max_position_embeddings")
        assert window_size(config, tokenizer, None) == 512
