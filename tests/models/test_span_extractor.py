"""Judged against Hugging Face: its question-answering pipeline, and its own loss, on the same checkpoints.

Where mmpipe differs from the pipeline on purpose, a test says how, and that the pipeline does otherwise.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from mmpipe.errors import ModelError, RecordError
from mmpipe.models.answer import find_answers
from mmpipe.models.span_extractor import SpanExtractor, loss, no_answer_threshold
from mmpipe.models.transformer import shim_of
from mmpipe.testing import AWKWARD_TEXTS, EXTRACTORS

CORPUS = Path(__file__).parents[2] / "corpora" / "questions" / "questions.jsonl"
SQUAD = Path(os.environ.get("MMPIPE_DATA", ".")) / "qa" / "squad_dev_a.jsonl.gz"
WHOLE = 640
LONG = "the quick brown fox jumps over the lazy dog. " * 9 + "it was raining, then the sun came out! " * 7
QUESTION = "when was it raining?"

needs_pipeline = pytest.mark.skipif(
    not hasattr(transformers, "QuestionAnsweringPipeline"),
    reason="transformers 5 has no question-answering pipeline to compare with",
)


def corpus_pairs() -> list[tuple[str, str]]:
    if not CORPUS.exists():
        pytest.skip("corpora/ is not beside this distribution")
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    return [(question, row["text"]) for row in rows for question in row["questions"]]


def squad_pairs() -> list[tuple[str, str]]:
    """Real questions about the shortest paragraphs: to a tiny tokenizer nearly every letter is a piece."""
    if "MMPIPE_DATA" not in os.environ or not SQUAD.exists():
        pytest.skip("MMPIPE_DATA names no folder that holds qa/squad_dev_a.jsonl.gz")
    with gzip.open(SQUAD, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows.sort(key=lambda row: len(row["context"]))
    return [(row["question"], row["context"]) for row in rows[:300]]


def extractor(folder: str, **options):
    return SpanExtractor(folder, precision="fp32", device="cpu", **options)


@pytest.fixture
def judge():
    """`judge(folder)`: Hugging Face's pipeline; `merges=False` stops it adding up candidates of the same text."""

    def build(folder: str, merges: bool = True):
        built = transformers.pipeline("question-answering", folder, tokenizer=folder, device="cpu")
        if not merges:
            built.get_answer = lambda answers, target: None
        return built

    return build


def said(judged: dict) -> tuple[str, int, int]:
    """Hugging Face's answer without the white space that some tokenizers count to a word."""
    bare = judged["answer"].strip()
    start = judged["start"] + len(judged["answer"]) - len(judged["answer"].lstrip())
    return bare, start, start + len(bare)


def shown(context: str, candidate) -> tuple[str, int, int]:
    return context[candidate.start : candidate.end], candidate.start, candidate.end


@needs_pipeline
@pytest.mark.parametrize("pairs", [corpus_pairs, squad_pairs])
@pytest.mark.parametrize("family", EXTRACTORS)
def test_answers_and_scores_equal_the_pipelines(tiny, judge, family, pairs):
    folder, pairs = tiny(family, has_spans=True, max_tokens=WHOLE), pairs()
    outputs = extractor(folder, max_tokens=WHOLE).predict(pairs)
    judged = judge(folder)(
        question=[question for question, _ in pairs], context=[context for _, context in pairs], max_seq_len=WHOLE
    )
    scores = []
    for (_, context), logits, wanted in zip(pairs, outputs, judged, strict=True):
        assert len(logits.windows) == 1, "the pipeline adds up scores of several windows"
        [best] = find_answers(logits).candidates
        assert shown(context, best) == said(wanted)
        assert best.score == pytest.approx(wanted["score"], abs=1e-8, rel=1e-3)
        assert abs(best.score - wanted["score"]) < 1e-4
        scores.append(best.score)
    assert np.std(np.log(scores)) > 0.3, "the scores must differ for this to mean anything"


@needs_pipeline
@pytest.mark.parametrize("align_to_words", [True, False])
@pytest.mark.parametrize("family", EXTRACTORS)
def test_n_best_and_no_answer_equal_the_pipelines(tiny, judge, family, align_to_words):
    folder, pairs = tiny(family, has_spans=True, max_tokens=WHOLE), corpus_pairs()[::13]
    options = {"top_k": 40, "handle_impossible_answer": True, "align_to_words": align_to_words}
    pipeline = judge(folder, merges=False)
    for (question, context), logits in zip(pairs, extractor(folder, max_tokens=WHOLE).predict(pairs), strict=True):
        judged = pipeline(question=question, context=context, max_seq_len=WHOLE, **options)
        wanted = {}
        for one in judged:
            if one["answer"].strip():
                wanted.setdefault(one["answer"].strip().lower(), one)
        ours = find_answers(logits, top_k=5, align_to_words=align_to_words)
        assert len(ours.candidates) == 5
        for mine, one in zip(ours.candidates, wanted.values(), strict=False):
            assert shown(context, mine) == said(one)
            assert mine.score == pytest.approx(one["score"], abs=1e-8, rel=1e-3)
        nulls = [one["score"] for one in judged if not one["answer"]]
        if nulls:
            assert ours.no_answer_score == pytest.approx(nulls[0], abs=1e-8, rel=1e-3)
        else:
            assert ours.no_answer_score < judged[-1]["score"]


@needs_pipeline
@pytest.mark.parametrize("family", EXTRACTORS)
def test_windows_compared_as_by_the_pipeline_give_its_answers(tiny, judge, family):
    """What `compare = "window"` is for."""
    folder, pairs = tiny(family, has_spans=True, max_tokens=WHOLE), corpus_pairs()[::13]
    pipeline = judge(folder, merges=False)
    model = extractor(folder, max_tokens=120, stride_tokens=30)
    for (question, context), logits in zip(pairs, model.predict(pairs), strict=True):
        assert len(logits.windows) >= 3
        judged = pipeline(
            question=question,
            context=context,
            max_seq_len=120,
            doc_stride=30,
            align_to_words=False,
            handle_impossible_answer=True,
            top_k=2,
        )
        found = find_answers(logits, compare="window", align_to_words=False)
        wanted = next(one for one in judged if one["answer"])
        assert shown(context, found.candidates[0]) == said(wanted)
        assert found.candidates[0].score == pytest.approx(wanted["score"], abs=1e-8, rel=1e-3)


class TestDifferences:
    """What Hugging Face's pipeline does, and we do not."""

    @needs_pipeline
    def test_a_score_is_not_added_up_over_windows(self, tiny, judge):
        folder = tiny("bert", has_spans=True)
        model, merging, plain = extractor(folder, stride_tokens=24), judge(folder), judge(folder, merges=False)
        n_added = 0
        for start in range(0, 200, 10):
            context = LONG[start:]
            asked = {"question": QUESTION, "context": context, "max_seq_len": 64, "doc_stride": 24}
            added, best = merging(**asked, top_k=1), plain(**asked, top_k=1)
            found = find_answers(model.predict([(QUESTION, context)])[0], compare="window").candidates[0]
            n_added += added["score"] > best["score"] * 1.001
            assert found.score < best["score"] * 1.001
        assert n_added > 3

    @needs_pipeline
    def test_no_white_space_around_an_answer(self, tiny, judge):
        folder = tiny("roberta", has_spans=True, max_tokens=WHOLE)
        judged = [judge(folder)(question=q, context=c, max_seq_len=WHOLE) for q, c in corpus_pairs()[:12]]
        assert any(one["answer"] != one["answer"].strip() for one in judged)

    @needs_pipeline
    def test_words_do_not_grow_through_writing_without_spaces(self, tiny, judge):
        folder = tiny("roberta", has_spans=True, max_tokens=WHOLE)
        context = "这部电影很好看我非常喜欢它的音乐和摄影也很出色演员们都很有才华"
        judged = judge(folder)(question="good?", context=context)
        assert judged["answer"] == context
        [logits] = extractor(folder).predict([("good?", context)])
        [best], [bare] = find_answers(logits).candidates, find_answers(logits, align_to_words=False).candidates
        assert best == bare and 0 < best.end - best.start < len(context)

    @needs_pipeline
    def test_a_letter_keeps_an_accent_that_the_tokenizer_takes_off(self, tiny, judge):
        folder, context = tiny("bert", has_spans=True), "cafe\u0301"
        assert judge(folder)(question="where?", context=context)["answer"] == "cafe"
        [logits] = extractor(folder).predict([("where?", context)])
        assert shown(context, find_answers(logits).candidates[0]) == (context, 0, 5)

    @needs_pipeline
    def test_a_word_cut_by_the_edge_of_a_window_is_whole(self, tiny, judge):
        folder = tiny("bert", has_spans=True)
        model, pipeline = extractor(folder, stride_tokens=0), judge(folder, merges=False)
        n_cut = 0
        for n_before in range(12):
            context = "a " * n_before + "incomprehensibilities " * 6
            judged = pipeline(question="what?", context=context, max_seq_len=64, doc_stride=0)
            [best] = find_answers(model.predict([("what?", context)])[0], compare="window").candidates
            _, start, end = said(judged)
            assert best.start <= start and end <= best.end
            assert {*shown(context, best)[0].split()} <= {*context.split()}, "whole words"
            n_cut += (best.start, best.end) != (start, end)
        assert 0 < n_cut < 12

    @needs_pipeline
    def test_the_next_best_follow_where_texts_are_equal(self, tiny, judge):
        folder, context = tiny("bert", has_spans=True), "the cat and the cat and the cat and the cat"
        judged = judge(folder)(question="who?", context=context, top_k=8)
        [logits] = extractor(folder).predict([("who?", context)])
        found = find_answers(logits, top_k=8).candidates
        assert len(judged) < len(found) == len({context[c.start : c.end] for c in found}) == 8

    @needs_pipeline
    def test_an_empty_text_has_no_answer(self, tiny, judge):
        folder = tiny("bert", has_spans=True)
        with pytest.raises(ValueError, match="empty"):
            judge(folder)(question=QUESTION, context="")
        for logits in extractor(folder).predict([(QUESTION, ""), (QUESTION, " \n")]):
            found = find_answers(logits)
            assert (found.candidates, found.no_answer_score) == ((), 1.0)

    @needs_pipeline
    def test_a_question_that_fills_the_window_is_named(self, tiny, judge):
        folder, question = tiny("bert", has_spans=True), "what is " + "very " * 80 + "good?"
        with pytest.raises(RecordError, match="'what is very very"):
            extractor(folder).predict([(question, LONG)])
        with pytest.raises(Exception) as theirs:
            judge(folder)(question=question, context=LONG)
        assert "very" not in str(theirs.value)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", EXTRACTORS)
def test_logits_are_the_same_in_any_company(tiny, family, precision):
    folder = tiny(family, has_spans=True)
    texts = [text[:150] for text in AWKWARD_TEXTS.values()]
    pairs = [(question, text) for text in texts for question in (QUESTION, "good?")]
    order = random.Random(0).sample(range(len(pairs)), len(pairs))

    def build(**options):
        return SpanExtractor(folder, precision=precision, device="cpu", **options)

    alone = [build().predict([pair])[0] for pair in pairs]
    shuffled = dict(zip(order, build().predict([pairs[i] for i in order]), strict=True))
    tolerance = {"fp32": 1e-5, "bf16": 2e-2}[precision]
    for other in (build(batch_tokens=100).predict(pairs), [shuffled[i] for i in range(len(pairs))]):
        for one, two in zip(alone, other, strict=True):
            assert len(one.windows) == len(two.windows)
            for a, b in zip(one.windows, two.windows, strict=True):
                np.testing.assert_allclose(a.start, b.start, atol=tolerance)
                np.testing.assert_allclose(a.end, b.end, atol=tolerance)
            if precision == "fp32":
                first, second = find_answers(one, top_k=3), find_answers(two, top_k=3)
                assert [(c.start, c.end) for c in first.candidates] == [(c.start, c.end) for c in second.candidates]


@pytest.mark.parametrize("family", EXTRACTORS)
def test_every_awkward_text_and_question(tiny, family):
    model = extractor(tiny(family, has_spans=True), batch_tokens=8192)
    for name, text in AWKWARD_TEXTS.items():
        text = text[:1_500]
        for question in ("good?", text[:8]):
            [logits] = model.predict([(question, text)])
            found = find_answers(logits, top_k=4)
            assert logits.coverage == 1.0, name
            assert bool(found.candidates) >= bool(logits.windows and text.strip("\u200b\ufeff").strip()), name
            texts = [text[c.start : c.end] for c in found.candidates]
            assert all(t and t == t.strip() for t in texts), name
            assert len({t.lower() for t in texts}) == len(texts), name
            assert all(0.0 <= c.score <= 1.0 for c in found.candidates), name
            assert sum(c.score for c in found.candidates) + found.no_answer_score < 1.001 or len(logits.windows) > 1
            assert 0.0 <= found.no_answer_score <= 1.0


class TestLongText:
    def test_truncate_and_error(self, tiny):
        folder = tiny("bert", has_spans=True)
        [cut] = extractor(folder, long_text="truncate").predict([(QUESTION, LONG)])
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        kept = tokenizer(QUESTION, LONG, truncation="only_second", max_length=64)
        whole = tokenizer(LONG, add_special_tokens=False, verbose=False)
        assert cut.coverage == pytest.approx(kept.sequence_ids().count(1) / len(whole.input_ids))
        assert len(cut.windows) == 1
        with pytest.raises(RecordError, match="more than the model's"):
            extractor(folder, long_text="error").predict([(QUESTION, LONG)])

    def test_a_window_is_no_longer_than_usual_in_training(self, tiny):
        folder = tiny("bert", has_spans=True, max_tokens=512)
        [logits] = extractor(folder).predict([(QUESTION, LONG * 6)])
        n_around = 3 + len(transformers.AutoTokenizer.from_pretrained(folder).tokenize(QUESTION))
        assert {len(window.start) for window in logits.windows[:-1]} == {384 - n_around}
        [longer] = extractor(folder, max_tokens=512).predict([(QUESTION, LONG * 6)])
        assert len(longer.windows[0].start) == 512 - n_around
        with pytest.raises(ModelError, match="reads 5 to 512 tokens"):
            extractor(folder, max_tokens=4).predict([(QUESTION, LONG)])


class TestThreshold:
    @pytest.mark.parametrize("value", [0.25, None])
    def test_comes_with_the_checkpoint(self, tiny, tmp_path, value):
        folder = self.with_config(tiny, tmp_path, value)
        assert no_answer_threshold(SpanExtractor(folder)) == value

    def test_must_be_a_share(self, tiny, tmp_path):
        with pytest.raises(ModelError, match="from 0 to 1"):
            no_answer_threshold(SpanExtractor(self.with_config(tiny, tmp_path, 7)))

    @staticmethod
    def with_config(tiny, tmp_path, value) -> str:
        import shutil

        folder = shutil.copytree(tiny("bert", has_spans=True), tmp_path / "model")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"no_answer_threshold": value}))
        return str(folder)


class TestLoss:
    """Against the loss that Hugging Face's model computes, one window at a time."""

    CONTEXT = "what a wonderful day; it was raining in the morning"

    @staticmethod
    def reference(folder: str, question: str, context: str, span: tuple[int, int] | None) -> list[float]:
        """The loss of each window that holds the answer, or of each where there is none."""
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
        encoded = tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=64,
            stride=18,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        losses = []
        for i, ids in enumerate(encoded["input_ids"]):
            kinds, offsets = encoded.sequence_ids(i), encoded["offset_mapping"][i]
            inside = [j for j, (a, b) in enumerate(offsets) if span and kinds[j] == 1 and a < span[1] and b > span[0]]
            is_whole = inside and offsets[inside[0]][0] <= span[0] and offsets[inside[-1]][1] >= span[1]
            if span and not is_whole:
                continue
            first, last = (inside[0], inside[-1]) if span else (0, 0)
            names = [name for name in tokenizer.model_input_names if name != "input_ids"]
            inputs = {name: torch.tensor([encoded[name][i]]) for name in names}
            ends = {"start_positions": torch.tensor([first]), "end_positions": torch.tensor([last])}
            with torch.no_grad():
                losses.append(model(input_ids=torch.tensor([ids]), **inputs, **ends).loss.item())
        return losses

    @pytest.mark.parametrize("family", EXTRACTORS)
    def test_equals_hugging_faces(self, tiny, family):
        folder = tiny(family, has_spans=True)
        model = extractor(folder, training={"precision": "fp32"})
        context = self.CONTEXT
        spans = [(context.index("raining"), context.index("raining") + 7), None, (0, len(context))]
        wanted = [loss_ for span in spans for loss_ in self.reference(folder, "when?", context, span)]
        assert len(wanted) == 3 and np.ptp(wanted) > 0.1
        found = loss(model, ["when?"] * 3, [context] * 3, [[span] if span else [] for span in spans])
        assert found.item() == pytest.approx(np.mean(wanted), abs=1e-4)
        found.backward()
        assert shim_of(model).trainer.module.qa_outputs.weight.grad.abs().sum() > 0

    def test_any_of_several_answers_is_right(self, tiny):
        folder = tiny("bert", has_spans=True)
        model = extractor(folder, training={"precision": "fp32"})
        start, context = self.CONTEXT.index("raining"), self.CONTEXT
        spans = [(start, start + 7), (start, len(context)), (0, start + 7)]
        each = [self.reference(folder, "when?", context, span)[0] for span in spans]
        found = loss(model, ["when?"], [context], [spans]).item()
        assert found == pytest.approx(-np.log(np.exp(-2 * np.array(each)).sum()) / 2, abs=1e-4)
        assert found < min(each)

    def test_a_long_context_gives_a_window_with_its_answer(self, tiny):
        folder = tiny("bert", has_spans=True)
        model = extractor(folder, stride_tokens=18, training={"precision": "fp32"})
        start = LONG.index("raining")
        spans = {"answered": (start, start + 7), "unanswered": None}
        for span in spans.values():
            wanted = self.reference(folder, "when?", LONG, span)
            torch.manual_seed(0)
            found = {
                round(loss(model, ["when?"], [LONG], [[span] if span else []], elsewhere=0.0).item(), 3)
                for _ in range(40)
            }
            assert found == {round(one, 3) for one in wanted}
        assert len(found) > 3
        elsewhere = {
            round(loss(model, ["when?"], [LONG], [[spans["answered"]]], elsewhere=1.0).item(), 3) for _ in range(40)
        }
        assert elsewhere & {round(one, 3) for one in wanted}, "windows without the answer are unanswered"

    def test_label_smoothing_is_torchs(self, tiny):
        folder = tiny("bert", has_spans=True)
        model = extractor(folder, training={"precision": "fp32", "label_smoothing": 0.2})
        found = loss(model, ["when?"], [self.CONTEXT], [[]]).item()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        judge = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
        with torch.no_grad():
            output = judge(**tokenizer("when?", self.CONTEXT, return_tensors="pt"))
            both = torch.cat([output.start_logits, output.end_logits])
            wanted = torch.nn.functional.cross_entropy(both, torch.zeros(2, dtype=torch.long), label_smoothing=0.2)
        assert found == pytest.approx(wanted.item(), abs=1e-4)

    def test_a_span_outside_the_context(self, tiny):
        model = extractor(tiny("bert", has_spans=True))
        with pytest.raises(RecordError, match="check its offsets"):
            loss(model, ["when?"], [self.CONTEXT], [[(500, 510)]])
        nothing = loss(model, ["when?"], ["  "], [[]])
        assert nothing.item() == 0.0 and nothing.requires_grad


@needs_pipeline
def test_checkpoint_that_reads_the_context_first(tmp_path, judge):
    """XLNet pads on the left and has [CLS] at the end; there the pipeline takes pieces of the question for answers."""
    from tokenizers.processors import TemplateProcessing

    from mmpipe.testing.checkpoints import _tokenizer

    core = _tokenizer("deberta-v2", WHOLE).backend_tokenizer
    ids = [(token, core.token_to_id(token)) for token in ("[SEP]", "[CLS]")]
    core.post_processor = TemplateProcessing(
        single="$A [SEP]:0 [CLS]:2", pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2", special_tokens=ids
    )
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        padding_side="left",
        model_max_length=WHOLE,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **names,
    )
    config = transformers.XLNetConfig(
        vocab_size=len(tokenizer), d_model=32, n_layer=2, n_head=4, d_inner=64, pad_token_id=tokenizer.pad_token_id
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForQuestionAnswering.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20.0 if parameter.dim() > 1 else 1.0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    [judged] = [judge(str(tmp_path))(question=QUESTION, context=LONG[:120], max_seq_len=WHOLE)]
    [logits] = extractor(str(tmp_path), max_tokens=WHOLE).predict([(QUESTION, LONG[:120])])
    found = find_answers(logits, align_to_words=False)
    encoded = tokenizer(LONG[:120], QUESTION, return_tensors="pt")
    with torch.no_grad():
        output = model.eval()(**encoded)
    is_context = np.array([kind == 0 for kind in encoded.sequence_ids()])
    is_kept = is_context | (np.arange(len(is_context)) == len(is_context) - 1)
    start, end = (rows[0].softmax(-1).numpy() * is_kept for rows in (output.start_logits, output.end_logits))
    start, end = start / start.sum(), end / end.sum()
    allowed = np.tril(np.triu(np.outer(start * is_context, end * is_context)), 14)
    assert found.candidates[0].score == pytest.approx(allowed.max(), rel=1e-3)
    assert found.no_answer_score == pytest.approx(start[-1] * end[-1], rel=1e-3)
    assert judged["score"] < found.candidates[0].score * 0.99, "the pipeline counts the question's pieces in"


def test_checkpoint_that_knows_no_mask(tiny, tmp_path):
    """FNet: each window alone, for padding would be read."""
    shutil.copytree(tiny("bert"), tmp_path / "fnet")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "fnet")
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "max_position_embeddings": 64}
    torch.manual_seed(0)
    model = transformers.FNetForQuestionAnswering(transformers.FNetConfig(vocab_size=len(tokenizer), **shape)).eval()
    model.save_pretrained(tmp_path / "fnet")
    pairs = [(QUESTION, "it was raining"), (QUESTION, "it was raining, then the sun came out!")]
    found = extractor(str(tmp_path / "fnet")).predict(pairs)
    for pair, logits in zip(pairs, found, strict=True):
        encoded = tokenizer(*pair, return_tensors="pt")
        with torch.no_grad():
            wanted = model(input_ids=encoded["input_ids"], token_type_ids=encoded["token_type_ids"])
        first = encoded.sequence_ids(0).index(1)
        (window,) = logits.windows
        np.testing.assert_allclose(window.start, wanted.start_logits[0, first:-1], atol=1e-5)
        np.testing.assert_allclose(window.end, wanted.end_logits[0, first:-1], atol=1e-5)
