"""The component: what is asked, what is written where, saved and learned."""

from __future__ import annotations

import inspect
import json
import random
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from mmpipe_qa.factory import DEFAULTS
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import Adam

import mmpipe
from mmpipe.metrics import squad
from mmpipe.models.answer import SpanLogits, find_answers
from mmpipe.models.span_extractor import SpanExtractor
from mmpipe.testing import AWKWARD_TEXTS

TEXT = "The quick brown fox jumps over the lazy dog. It was raining in the morning, then the sun came out!"
WHEN, WHO = "When was it raining?", "Who jumps over the dog?"


def load(checkpoint: str, *, lang: str = "en", **settings: Any) -> Language:
    model = {"name": checkpoint, "precision": "fp32", "device": "cpu", **settings.pop("model", {})}
    component = {"factory": "mmpipe_qa", "model": model, **settings}
    return mmpipe.load({"nlp": {"lang": lang, "pipeline": ["qa"]}, "components": {"qa": component}})


def ask(nlp: Language, text: str, *questions: str) -> list[dict[str, Any]]:
    return nlp(mmpipe.make_doc(nlp, {"text": text, "questions": list(questions)}))._.answers


@pytest.fixture(scope="module")
def checkpoint(tiny_extractor: Callable[..., str]) -> str:
    return tiny_extractor("bert")


class TestWhatIsAsked:
    def test_the_configs_first_then_the_records_each_once(self, checkpoint: str) -> None:
        nlp = load(checkpoint, questions=[WHEN, WHO, "When  was it raining? "])
        record = {"text": TEXT, "question": "Where?", "questions": [WHO, " ", "Why?", "Where?"]}
        answers = nlp(mmpipe.make_doc(nlp, record))._.answers
        assert [answer["question"] for answer in answers] == [WHEN, WHO, "Where?", "Why?"]
        assert answers[:2] == nlp(TEXT)._.answers, "a plain text is asked the config's"

    @pytest.mark.parametrize("record", [{}, {"question": ""}, {"question": None, "questions": []}])
    def test_nothing(self, checkpoint: str, record: dict[str, Any]) -> None:
        nlp = load(checkpoint)
        doc = nlp(mmpipe.make_doc(nlp, {"text": TEXT, **record}))
        assert doc._.answers == [] and len(doc.spans["answers"]) == 0

    def test_a_blank_question_in_the_config(self, checkpoint: str) -> None:
        with pytest.raises(mmpipe.ConfigError, match=r"components\.qa\.questions\.1"):
            load(checkpoint, questions=[WHO, "  "])

    @pytest.mark.parametrize("questions", [WHO, [WHO, None], {"who": WHO}])
    def test_a_record_that_make_doc_has_not_checked(self, checkpoint: str, questions: Any) -> None:
        nlp = load(checkpoint)
        doc = mmpipe.make_doc(nlp, {"id": "x7", "text": TEXT})
        doc._.record = {"id": "x7", "questions": questions}
        with pytest.raises(mmpipe.RecordError, match="x7"):
            nlp(doc)

    def test_a_question_longer_than_the_window_fails_its_record_alone(self, checkpoint: str) -> None:
        nlp = load(checkpoint)
        failed = []
        nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((docs[0]._.record["id"], str(error))))
        records = [{"id": i, "text": TEXT, "question": "why " * n + "?"} for i, n in enumerate((1, 70, 2))]
        docs = list(nlp.pipe(mmpipe.make_docs(nlp, records)))
        assert [doc._.record["id"] for doc in docs] == [0, 2]
        [(index, said)] = failed
        assert index == 1 and "'why why" in said and "fewer words" in said

    def test_few_logits_at_once_for_many_long_documents(self, checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        nlp = load(checkpoint, questions=[WHEN, WHO])
        alive: weakref.WeakSet[Any] = weakref.WeakSet()
        most = 0

        def spy(logits: Any, **options: Any) -> Any:
            nonlocal most
            most = max(most, len(alive))
            return find_answers(logits, **options)

        class Spied(SpanLogits):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                alive.add(self)

            __hash__ = object.__hash__

        wanted = [doc._.answers for doc in nlp.pipe([TEXT] * 12)]
        monkeypatch.setattr("mmpipe.models.span_extractor.SpanLogits", Spied)
        monkeypatch.setattr("mmpipe.models.span_extractor._GROUP_CHARS", 3 * len(TEXT))
        monkeypatch.setattr("mmpipe_qa.component.find_answers", spy)
        assert [doc._.answers for doc in nlp.pipe([TEXT] * 12)] == wanted
        assert 0 < most <= 7


class TestWhatIsWritten:
    def test_answers_are_what_the_model_finds(self, checkpoint: str) -> None:
        nlp = load(checkpoint, model={"stride_tokens": 10}, max_answer_tokens=6)
        text = TEXT * 3
        model = SpanExtractor(checkpoint, precision="fp32", device="cpu", stride_tokens=10)
        for answer, logits in zip(ask(nlp, text, WHEN, WHO), model.predict([(WHEN, text), (WHO, text)]), strict=True):
            found = find_answers(logits, max_answer_tokens=6)
            [best] = found.candidates
            assert (answer["start"], answer["end"], answer["score"]) == (best.start, best.end, best.score)
            assert answer["text"] == text[best.start : best.end]
            assert (answer["no_answer_score"], answer["coverage"]) == (found.no_answer_score, 1.0)

    def test_spans_stand_where_tokens_permit(self, checkpoint: str) -> None:
        nlp = load(checkpoint, align_to_words=False, spans_key="found", field="replies")
        doc = nlp(mmpipe.make_doc(nlp, {"text": TEXT, "questions": [WHEN, WHO, "what?", "good?", "morning", "dog"]}))
        answers = doc._.replies
        bounds = {token.idx for token in doc}, {token.idx + len(token) for token in doc}
        for answer in answers:
            assert answer["is_span"] == (answer["start"] in bounds[0] and answer["end"] in bounds[1])
        spans = doc.spans["found"]
        given = [answer for answer in answers if answer["is_span"]]
        assert 0 < len(given) < len(answers), "both kinds must occur for this to mean anything"
        assert [(s.start_char, s.end_char) for s in spans] == [(a["start"], a["end"]) for a in given]
        assert spans.attrs == {
            "questions": [a["question"] for a in given],
            "scores": [a["score"] for a in given],
        }

    def test_no_best_answer_twice(self, checkpoint: str) -> None:
        [one] = ask(load(checkpoint), TEXT, WHEN)
        [several] = ask(load(checkpoint, top_k=4), TEXT, WHEN)
        assert "alternatives" not in one
        assert len(several["alternatives"]) == 3
        assert {key: several[key] for key in one} == one
        texts = [several["text"], *(other["text"] for other in several["alternatives"])]
        assert len({text.lower() for text in texts}) == 4
        scores = [several["score"], *(other["score"] for other in several["alternatives"])]
        assert scores == sorted(scores, reverse=True)
        assert all(TEXT[other["start"] : other["end"]] == other["text"] for other in several["alternatives"])

    @pytest.mark.parametrize("text", ["", " \n\t "])
    def test_nothing_to_read(self, checkpoint: str, text: str) -> None:
        [answer] = ask(load(checkpoint, no_answer_threshold=None), text, WHEN)
        assert answer == {
            "question": WHEN,
            "text": None,
            "start": None,
            "end": None,
            "score": 0.0,
            "no_answer_score": 1.0,
            "coverage": 1.0,
            "is_span": False,
        }

    def test_results_are_plain_json_and_survive_a_docbin(self, checkpoint: str) -> None:
        nlp = load(checkpoint, top_k=2)
        doc = nlp(mmpipe.make_doc(nlp, {"id": "a", "text": TEXT, "question": WHEN}))
        [copy] = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
        assert json.loads(json.dumps(mmpipe.to_record(doc))) == mmpipe.to_record(copy)
        assert [span.text for span in copy.spans["answers"]] == [span.text for span in doc.spans["answers"]]


class TestNoAnswer:
    def test_the_threshold_is_the_highest_score_that_still_answers(self, checkpoint: str) -> None:
        [given] = ask(load(checkpoint, no_answer_threshold=None), TEXT, WHEN)
        score = given["no_answer_score"]
        assert given["text"] and 0.0 < score < 1.0
        [at] = ask(load(checkpoint, no_answer_threshold=score), TEXT, WHEN)
        assert at == given
        [below] = ask(load(checkpoint, no_answer_threshold=score * 0.999), TEXT, WHEN)
        withheld = {"text": None, "start": None, "end": None, "is_span": False}
        assert below == given | withheld
        doc = load(checkpoint, no_answer_threshold=score * 0.999, questions=[WHEN], top_k=2)(TEXT)
        assert len(doc.spans["answers"]) == 0
        [first, _] = doc._.answers[0]["alternatives"]
        assert first == {key: given[key] for key in ("text", "start", "end", "score")}

    def test_auto_takes_the_checkpoints(self, checkpoint: str, tmp_path: Path) -> None:
        [given] = ask(load(checkpoint), TEXT, WHEN)
        assert given["text"], "a checkpoint without a threshold always answers"
        load(checkpoint).to_disk(tmp_path / "saved")
        file = tmp_path / "saved" / "qa" / "model" / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"no_answer_threshold": 0.0}))
        folder = str(file.parent)
        assert ask(load(folder), TEXT, WHEN)[0]["text"] is None
        assert ask(load(folder, no_answer_threshold=None), TEXT, WHEN)[0]["text"] == given["text"]

    @pytest.mark.parametrize("value", [1.5, -0.1, "never"])
    def test_other_thresholds_are_faults(self, checkpoint: str, value: Any) -> None:
        with pytest.raises(mmpipe.ConfigError, match="no_answer_threshold"):
            load(checkpoint, no_answer_threshold=value)


class TestOffsets:
    @pytest.mark.parametrize("family", ["bert", "roberta", "deberta-v2"])
    def test_characters_not_bytes(self, tiny_extractor: Callable[..., str], family: str) -> None:
        nlp = load(tiny_extractor(family), questions=[WHEN, "好看吗？", "😍?"], top_k=3, lang="xx")
        texts = [text[:1000] for text in AWKWARD_TEXTS.values()] + ["𠮷野家で𝒜𝒷𝒸を食べた 👩🏽‍🚀 good 𓀀 food"]
        for doc in nlp.pipe(texts):
            for answer in doc._.answers:
                found = [answer, *answer["alternatives"]] if answer["text"] else answer["alternatives"]
                for one in found:
                    assert doc.text[one["start"] : one["end"]] == one["text"] == one["text"].strip() != ""

    def test_an_answer_inside_a_chinese_token_is_flagged(self, tiny_extractor: Callable[..., str]) -> None:
        folder = tiny_extractor("roberta")
        text = "这部电影很好看。我非常喜欢！你呢？"
        whole, single = load(folder, lang="xx"), load(folder, lang="zh")
        [inside], [apart] = ask(whole, text, "好看?"), ask(single, text, "好看?")
        assert (inside["start"], inside["end"]) == (apart["start"], apart["end"])
        assert not inside["is_span"] and apart["is_span"], "blank Chinese has a token a character, xx one a sentence"

    def test_in_any_company(self, checkpoint: str) -> None:
        nlp = load(checkpoint, questions=[WHEN], top_k=2)
        texts = [text[:300] for text in AWKWARD_TEXTS.values()]
        records = [{"text": text, "question": f"{text[:12]}?" if i % 2 else None} for i, text in enumerate(texts)]
        records = [{key: value for key, value in record.items() if value is not None} for record in records]
        alone = [nlp(mmpipe.make_doc(nlp, record))._.answers for record in records]
        order = random.Random(1).sample(range(len(records)), len(records))
        shuffled = list(nlp.pipe(mmpipe.make_docs(nlp, [records[i] for i in order]), batch_size=5))
        for index, doc in zip(order, shuffled, strict=True):
            for one, two in zip(alone[index], doc._.answers, strict=True):
                for mine, other in zip([one, *one["alternatives"]], [two, *two["alternatives"]], strict=True):
                    mine, other = ({k: v for k, v in d.items() if k != "alternatives"} for d in (mine, other))
                    assert mine == pytest.approx(other, abs=1e-5)

    def test_in_two_processes(self, checkpoint: str) -> None:
        nlp = load(checkpoint, top_k=2)
        records = [{"text": TEXT[i:], "questions": [WHEN, WHO][: i % 3]} for i in range(4)]
        alone = [nlp(doc) for doc in mmpipe.make_docs(nlp, records)]
        shared = list(nlp.pipe(mmpipe.make_docs(nlp, records), n_process=2, batch_size=2))
        for one, two in zip(alone, shared, strict=True):
            assert [answer["text"] for answer in one._.answers] == [answer["text"] for answer in two._.answers]
            scores = [[answer["score"] for answer in doc._.answers] for doc in (one, two)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-5)
            assert list(one.spans["answers"].attrs["questions"]) == list(two.spans["answers"].attrs["questions"])
            assert [span.text for span in one.spans["answers"]] == [span.text for span in two.spans["answers"]]


class TestSaving:
    @pytest.mark.parametrize("save_weights", [True, False])
    def test_spacys_loader_gives_the_same(self, checkpoint: str, tmp_path: Path, save_weights: bool) -> None:
        settings = {"questions": [WHO], "top_k": 2, "no_answer_threshold": 0.9, "max_answer_tokens": 5}
        nlp = load(checkpoint, save_weights=save_weights, **settings)
        nlp.to_disk(tmp_path / "saved")
        loaded = spacy.load(tmp_path / "saved")
        assert loaded(TEXT)._.answers == nlp(TEXT)._.answers
        assert loaded.get_pipe("qa").cfg == nlp.get_pipe("qa").cfg


class TestLearning:
    RECORDS = (
        {"text": "The cat sat on the mat.", "question": "where?", "answers": [{"text": "the mat", "start": 15}]},
        {"text": "It was raining in the morning.", "questions": ["when?", "why?"], "answers": [["the morning"], []]},
        {"text": "That one is bad: never again.", "question": "who?", "answers": [], "impossible": True},
        {"text": "No gold here."},
        {"text": "The dog.", "question": "who?", "answers": ["an answer that is not in the text"]},
    )

    def test_learns_by_heart(self, checkpoint: str) -> None:
        training = {"training": {"precision": "fp32"}}
        nlp = load(checkpoint, model=training, no_answer_threshold=0.5)
        docs = list(mmpipe.make_docs(nlp, self.RECORDS))
        examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
        pipe = nlp.get_pipe("qa")
        assert [pipe.has_gold(example) for example in examples] == [True, True, True, False, False]
        nlp.initialize(lambda: examples)
        optimizer, losses = Adam(0.003), []
        for _ in range(60):
            losses.append(nlp.update(examples, sgd=optimizer)["qa"])
        assert losses[-1] < 0.2 * losses[0]
        answers = [answer for doc in nlp.pipe(mmpipe.make_docs(nlp, self.RECORDS[:3])) for answer in doc._.answers]
        assert [answer["text"] for answer in answers] == ["the mat", "the morning", None, None]

    def test_is_scored_by_squads_measures(self, checkpoint: str) -> None:
        nlp = load(checkpoint)
        examples = []
        for record in self.RECORDS[:2]:
            doc = mmpipe.make_doc(nlp, record)
            examples.append(Example(nlp(mmpipe.make_doc(nlp, record)), doc))
        given = [answer["text"] for example in examples for answer in example.predicted._.answers]
        scores = nlp.get_pipe("qa").score(examples)
        assert len(given) == 3
        # The third question has no answer, and one was given.
        assert scores["qa_no_answer_exact"] == 0.0
        rights = [squad.exact(text, gold) for text, gold in zip(given, (["the mat"], ["the morning"], []), strict=True)]
        assert scores["qa_exact"] == pytest.approx(100 * sum(rights) / 3) and sum(rights) in (1.0, 2.0)


def test_every_setting_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {*inspect.signature(SpanExtractor).parameters, *DEFAULTS}
    assert not [name for name in names if f"\n| `{name}` |" not in readme]
