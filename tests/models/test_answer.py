"""Decoding, on logits made up for the purpose: what wins, in one window and across many."""

from __future__ import annotations

from time import perf_counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmpipe.models.answer import SpanLogits, WindowLogits, find_answers
from mmpipe.models.pairs import Pieces
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.models.transformer import shim_of


def logits_of(*windows: WindowLogits, n_pieces: int) -> SpanLogits:
    """A context of words "w0 w1 ...", each a piece."""
    words = [f"w{i}" for i in range(n_pieces)]
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    starts = ends - [len(word) for word in words]
    return SpanLogits(" ".join(words), Pieces(starts, ends, starts, ends), windows, 1.0)


def window(start: list[float], end: list[float], first_piece: int = 0, null: float = 0.0) -> WindowLogits:
    return WindowLogits(np.array(start, np.float32), np.array(end, np.float32), first_piece, null, null)


def texts(found, logits) -> list[str]:
    return [logits.context[c.start : c.end] for c in found.candidates]


@given(data=st.data(), n_pieces=st.integers(1, 12), max_answer_tokens=st.integers(1, 14), top_k=st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_all_candidates_by_brute_force(data, n_pieces, max_answer_tokens, top_k):
    values = st.lists(st.integers(-8, 8), min_size=n_pieces, max_size=n_pieces)
    start, end, null = data.draw(values), data.draw(values), data.draw(st.integers(-8, 8))
    logits = logits_of(window(start, end, null=null), n_pieces=n_pieces)

    def softmax(row):
        powers = np.exp(np.array([*row, null], dtype=float))
        return powers / powers.sum()

    p_start, p_end = softmax(start), softmax(end)
    spans = [(i, j) for i in range(n_pieces) for j in range(i, min(i + max_answer_tokens, n_pieces))]
    wanted = sorted((p_start[i] * p_end[j] for i, j in spans), reverse=True)[:top_k]
    found = find_answers(logits, top_k=top_k, max_answer_tokens=max_answer_tokens)
    assert [c.score for c in found.candidates] == pytest.approx(wanted, rel=1e-5)
    assert found.no_answer_score == pytest.approx(p_start[-1] * p_end[-1], rel=1e-5)
    by_place = {(c.start, c.end): c.score for c in found.candidates}
    for i, j in spans:
        place = int(logits.pieces.starts[i]), int(logits.pieces.ends[j])
        assert by_place.get(place, p_start[i] * p_end[j]) == pytest.approx(p_start[i] * p_end[j], rel=1e-5)


def test_the_same_answer_of_two_windows_is_one_with_the_better_score():
    logits = logits_of(window([0, 5, 0], [0, 5, 0]), window([4, 0, 0], [4, 0, 0], first_piece=1), n_pieces=4)
    found = find_answers(logits, top_k=3)
    assert texts(found, logits)[0] == "w1" and len(set(texts(found, logits))) == 3
    [alone] = find_answers(logits_of(window([0, 5, 0], [0, 5, 0]), n_pieces=4)).candidates
    assert found.candidates[0].score == pytest.approx(alone.score)


def test_a_candidate_says_which_logits_decided():
    first, second = window([0, 1, 0], [0, 1, 0]), window([0, 1, 6], [0, 0, 6], first_piece=2)
    logits = logits_of(first, second, n_pieces=5)
    for found in find_answers(logits, top_k=20).candidates:
        own = logits.windows[found.window]
        start, end = own.start[found.pieces[0] - own.first_piece], own.end[found.pieces[-1] - own.first_piece]
        mass = np.log(np.exp(np.append(own.start, 0.0)).sum()) + np.log(np.exp(np.append(own.end, 0.0)).sum())
        best = np.log(np.exp(np.append(second.start, 0.0)).sum()) + np.log(np.exp(np.append(second.end, 0.0)).sum())
        assert np.log(found.score) == pytest.approx(start + end - max(mass, best), abs=1e-5)
    best = find_answers(logits).candidates[0]
    assert (best.window, best.pieces) == (1, range(4, 5))


def test_the_spans_of_one_very_long_word_take_no_time():
    n_pieces = 2000
    places, values = np.arange(n_pieces), np.sin(np.arange(n_pieces), dtype=np.float32)
    pieces = Pieces(4 * places, 4 * places + 4, 0 * places, 0 * places + 4 * n_pieces)
    logits = SpanLogits("long" * n_pieces, pieces, (WindowLogits(values, values, 0, 0.0, 0.0),), 1.0)
    begun = perf_counter()
    [found] = find_answers(logits, top_k=3).candidates
    assert (found.start, found.end) == (0, 4 * n_pieces)
    assert perf_counter() - begun < 10, "seconds; growing each of 30,000 spans letter by letter takes minutes"


@pytest.mark.parametrize(
    "context, pieces, plain, whole",
    [
        ("e\u0301te\u0301 ici", [(0, 1), (2, 3), (3, 4), (6, 7)], "e\u0301te", "e\u0301te\u0301"),
        ("\u0926\u0941\u0928", [(1, 2), (2, 3)], "\u0941\u0928", "\u0926\u0941\u0928"),
        ("1\ufe0f\u20e3", [(0, 1)], "1", "1\ufe0f\u20e3"),
    ],
)
def test_a_letter_keeps_the_marks_that_combine_with_it(context, pieces, plain, whole):
    """Tokenizers that take accents off leave them out of their pieces; others cut before them."""
    starts, ends = np.array(pieces).T
    none = np.full(len(pieces), -1)
    # The answer ends with the last piece but one where there is a second word.
    n_pieces = len(pieces) - (" " in context)
    start, end = np.full((2, len(pieces)), -9.0, np.float32)
    start[0] = end[n_pieces - 1] = 9.0
    logits = SpanLogits(context, Pieces(starts, ends, none, none), (WindowLogits(start, end, 0, 0.0, 0.0),), 1.0)
    assert texts(find_answers(logits), logits) == [whole]
    assert texts(find_answers(logits, align_to_words=False), logits) == [plain]


class TestAcrossWindows:
    # Sure of itself, though "no answer" is likelier still than in the other window.
    DISTRACTION = window([9, 0], [9, 0], null=8.5)
    # Torn between two answers, but not about there being one.
    NEEDLE = window([6, 6], [6, 6], first_piece=2)

    def test_what_is_likelier_than_no_answer_wins(self):
        logits = logits_of(self.DISTRACTION, self.NEEDLE, n_pieces=4)
        relative, plain = find_answers(logits), find_answers(logits, compare="window")
        assert texts(relative, logits) == ["w2"]
        assert texts(plain, logits) == ["w0"]
        assert relative.no_answer_score == plain.no_answer_score

    def test_any_number_of_windows_without_an_answer_changes_nothing(self):
        alone = find_answers(logits_of(self.NEEDLE, n_pieces=4))
        empty = [window([-3, 1], [-3, 1], first_piece=2 * i, null=9) for i in range(2, 202)]
        found = find_answers(logits_of(self.DISTRACTION, *empty, self.NEEDLE, n_pieces=404))
        assert found.candidates == alone.candidates and found.no_answer_score == alone.no_answer_score

    def test_scores_stay_probabilities(self):
        found = find_answers(logits_of(self.DISTRACTION, self.NEEDLE, n_pieces=4), top_k=6)
        assert 0 < sum(c.score for c in found.candidates) + found.no_answer_score < 2
        assert all(0 <= c.score <= 1 for c in found.candidates)

    def test_without_a_no_answer_token_windows_count_as_they_stand(self):
        bare = [WindowLogits(w.start, w.end, w.first_piece, -np.inf, -np.inf) for w in (self.DISTRACTION, self.NEEDLE)]
        logits = logits_of(*bare, n_pieces=4)
        found = find_answers(logits)
        assert texts(found, logits) == ["w0"] and found.no_answer_score == 0.0
        assert found == find_answers(logits, compare="window")


class Finder(nn.Module):
    """Answers with the piece behind each `marker`; elsewhere "no answer", with noise that follows from the ids."""

    def __init__(self, marker: int) -> None:
        super().__init__()
        self.marker = marker

    def forward(self, input_ids, attention_mask, token_type_ids):
        logits = torch.sin(input_ids * 1.7) - 4
        logits[:, 0] = 2.0
        is_answer = torch.roll(input_ids == self.marker, 1, dims=1) & (token_type_ids == 1)
        logits[is_answer] = 7.0
        return SimpleNamespace(start_logits=logits, end_logits=logits)


def test_a_document_of_20_000_words_answers_as_a_short_one(tiny):
    model = SpanExtractor(tiny("bert", has_spans=True), device="cpu", precision="fp32", stride_tokens=16)
    shim = shim_of(model)
    shim._model = Finder(shim.tokenizer.convert_tokens_to_ids("fox"))
    needle, hay = "the quick brown fox jumps", "the cat sat on the mat and it was raining "
    asked = [("who jumps?", f"{hay * 3}{needle}"), ("who jumps?", f"{hay * 1700}{needle} {hay * 600}")]
    assert len(asked[1][1].split()) > 20_000
    short, long = (find_answers(logits) for logits in model.predict(asked))
    assert [asked[0][1][c.start : c.end] for c in short.candidates] == ["jumps"]
    [found] = long.candidates
    assert (asked[1][1][found.start : found.end], found.start) == ("jumps", len(hay) * 1700 + needle.index("jumps"))
    assert found.score == pytest.approx(short.candidates[0].score, abs=0.02) and found.score > 0.9
    assert long.no_answer_score == pytest.approx(short.no_answer_score, abs=0.002)
    nothing = find_answers(model.predict([("who jumps?", hay * 2200)])[0])
    assert nothing.no_answer_score > 0.5 > nothing.candidates[0].score
