"""What mmpipe.load returns is spaCy's, and everything that spaCy can do with a pipeline can be done with it."""

from __future__ import annotations

import inspect
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import spacy
from confection import Config
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import load_model_from_config

import mmpipe
from mmpipe.testing import AWKWARD_TEXTS

TEXTS = [
    "This film is good. That one is bad! Never again, not even for free.",
    "What a wonderful day; it was raining in the morning. Then the sun came out.\n\nThe cat sat on the mat.",
    "",
    "The quick brown fox jumps over the lazy dog.",
]


def snapshot(doc: Doc) -> dict[str, Any]:
    """Everything that mmpipe writes to a Doc, as plain data."""
    return {
        "text": doc.text,
        "fields": {key[1]: value for key, value in doc.user_data.items() if key[0] == "._."},
        "cats": doc.cats,
        "spans": {
            key: [group.attrs, [[span.start_char, span.end_char, span.label_] for span in group]]
            for key, group in doc.spans.items()
        },
    }


def pipeline(sentiment: str | Path, summary: str | Path, **changes: Any) -> dict[str, Any]:
    def model(name: str | Path) -> dict[str, Any]:
        return {"name": str(name), "precision": "fp32", "device": "cpu"}

    return {
        "nlp": {"lang": "en", "pipeline": ["sentencizer", "sentiment", "summary"]},
        "components": {
            "sentencizer": {"factory": "sentencizer"},
            "sentiment": {
                "factory": "mmpipe_sentiment",
                "model": model(sentiment),
                "per_sentence": True,
                **changes,
            },
            "summary": {"factory": "mmpipe_summariser", "model": model(summary), "n_sentences": 2, **changes},
        },
    }


@pytest.fixture(scope="module")
def config(tiny: Callable[..., str]) -> dict[str, Any]:
    return pipeline(tiny("bert", labels=("negative", "positive")), tiny("distilbert"))


@pytest.fixture
def nlp(config: dict[str, Any]) -> Language:
    return mmpipe.load(config)


@pytest.fixture(scope="module")
def expected(config: dict[str, Any]) -> list[dict[str, Any]]:
    nlp = mmpipe.load(config)
    found = [snapshot(nlp(text)) for text in TEXTS]
    assert found[0]["fields"]["sentiment"]["label"] in ("negative", "positive")
    assert len(found[0]["spans"]["summary"][1]) == 2
    return found


def run_python(code: str, *arguments: Any, timeout_seconds: float = 120) -> Any:
    """What a fresh interpreter prints, as JSON. Ends it, and whatever it forked, when it hangs."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from __future__ import annotations\n{inspect.getsource(snapshot)}\n{code}",
            *map(str, arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise
    assert process.returncode == 0, err
    return json.loads(out)


def close(value: Any) -> Any:
    """The value with its numbers compared to 1e-5."""
    if isinstance(value, dict):
        return {key: close(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [close(item) for item in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def test_it_is_a_plain_spacy_language(nlp: Language) -> None:
    assert type(nlp) is spacy.util.get_lang_class("en")
    assert nlp.pipe_names == ["sentencizer", "sentiment", "summary"]


LOAD = """
import json, sys, warnings
import spacy
warnings.simplefilter("error", UserWarning)
texts, *folders = json.loads(sys.argv[1])
assert not [name for name in sys.modules if name.split(".")[0] == "mmpipe"]
print(json.dumps([[snapshot(doc) for doc in spacy.load(folder).pipe(texts)] for folder in folders]))
"""


def test_spacy_load_of_a_saved_pipeline_needs_no_word_of_mmpipe(
    tiny: Callable[..., str], expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("sentiment", "summary"):
        source = tiny("bert", labels=("negative", "positive")) if name == "sentiment" else tiny("distilbert")
        shutil.copytree(source, tmp_path / name)
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    mmpipe.load(pipeline(tmp_path / "sentiment", tmp_path / "summary", save_weights=False)).to_disk(kept)
    shutil.copytree(tmp_path / "sentiment", gone / "sentiment")
    shutil.copytree(tmp_path / "summary", gone / "summary")
    mmpipe.load(pipeline(gone / "sentiment", gone / "summary")).to_disk(tmp_path / "whole")
    # A folder that holds the weights needs nothing else of the machine it was saved on; and it may move.
    shutil.rmtree(gone)
    (tmp_path / "whole").rename(tmp_path / "moved")
    assert len(list((tmp_path / "moved").rglob("*.safetensors"))) == 2
    assert not list(kept.rglob("*.safetensors"))
    for found in run_python(LOAD, json.dumps([TEXTS, str(tmp_path / "moved"), str(kept)])):
        assert found == close(expected)


def test_a_pinned_reference_refuses_other_weights(tiny: Callable[..., str], tmp_path: Path) -> None:
    labels = ("negative", "positive")
    shutil.copytree(tiny("bert", labels=labels), tmp_path / "model")
    mmpipe.load(pipeline(tmp_path / "model", tiny("distilbert"), save_weights=False)).to_disk(tmp_path / "saved")
    shutil.rmtree(tmp_path / "model")
    shutil.copytree(tiny("bert", labels=labels, seed=1), tmp_path / "model")
    with pytest.raises(mmpipe.ModelError, match="other weights"):
        spacy.load(tmp_path / "saved")


PIPE = """
import json, sys
import mmpipe
config, texts = json.loads(sys.argv[1])
nlp = mmpipe.load(config)
docs = [mmpipe.make_doc(nlp, {"id": i, "text": text, "tags": [["a"], {"b": 1.5}]}) for i, text in enumerate(texts)]
alone = [snapshot(nlp(doc.copy())) for doc in docs]
shared = [snapshot(doc) for doc in nlp.pipe(docs, n_process=2, batch_size=3)]
print(json.dumps([alone, shared]))
"""


def test_two_processes_give_what_one_gives_after_the_parent_used_the_model(config: dict[str, Any]) -> None:
    texts = [*TEXTS, *AWKWARD_TEXTS.values()]
    alone, shared = run_python(PIPE, json.dumps([config, texts]))
    assert shared == close(alone)
    assert [found["text"] for found in shared] == texts
    assert [found["fields"]["record"]["id"] for found in shared] == list(range(len(texts)))


def test_bytes_and_docbin_keep_every_field(nlp: Language) -> None:
    docs = [nlp(mmpipe.make_doc(nlp, {"id": i, "text": text, "tags": [[1]]})) for i, text in enumerate(TEXTS)]
    for doc in docs:
        assert snapshot(Doc(nlp.vocab).from_bytes(doc.to_bytes())) == snapshot(doc)
    stored = DocBin(store_user_data=True, docs=docs).to_bytes()
    for doc, copy in zip(docs, DocBin().from_bytes(stored).get_docs(spacy.blank("en").vocab), strict=True):
        # spaCy's DocBin turns the lists of user_data into tuples; as JSON they are equal.
        assert json.dumps(snapshot(copy)) == json.dumps(snapshot(doc))
        assert mmpipe.to_record(copy) == mmpipe.to_record(doc)


def test_batches_in_any_order_give_what_single_documents_give(nlp: Language, expected: list[dict[str, Any]]) -> None:
    order = list(range(len(TEXTS))) * 5
    random.Random(3).shuffle(order)
    for batch_size in (1, 2, 50):
        found = nlp.pipe([TEXTS[i] for i in order], batch_size=batch_size)
        assert [snapshot(doc) for doc in found] == close([expected[i] for i in order])


def test_as_tuples(nlp: Language, expected: list[dict[str, Any]]) -> None:
    pairs = list(nlp.pipe([(text, {"n": i}) for i, text in enumerate(TEXTS)], as_tuples=True))
    assert [context["n"] for _, context in pairs] == list(range(len(TEXTS)))
    assert [snapshot(doc) for doc, _ in pairs] == close(expected)


def test_threads(nlp: Language, expected: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(nlp, TEXTS * 6))
    assert [snapshot(doc) for doc in found] == close(expected * 6)


def test_components_can_be_switched_off_and_on(nlp: Language, expected: list[dict[str, Any]]) -> None:
    with nlp.select_pipes(disable=["sentiment"]):
        found = snapshot(nlp(TEXTS[0]))
        assert list(found["fields"]) == ["summary"] and not found["cats"]
    nlp.disable_pipe("summary")
    assert list(snapshot(nlp(TEXTS[0]))["fields"]) == ["sentiment"]
    nlp.enable_pipe("summary")
    assert snapshot(nlp(TEXTS[0])) == close(expected[0])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"exclude": ["summary"]}, ["sentencizer", "sentiment"]),
        ({"disable": ["sentiment"]}, ["sentencizer", "summary"]),
        ({"enable": ["sentencizer", "sentiment"]}, ["sentencizer", "sentiment"]),
    ],
)
def test_spacy_load_takes_its_own_arguments(
    nlp: Language, tmp_path: Path, arguments: dict[str, Any], names: list[str]
) -> None:
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path, **arguments)
    assert again.pipe_names == names
    assert set(snapshot(again(TEXTS[0]))["fields"]) == set(names) - {"sentencizer"}


def test_analyze_pipes(nlp: Language) -> None:
    found = nlp.analyze_pipes()
    assert not any(found["problems"].values())
    assert found["summary"]["sentiment"]["assigns"] == ["doc._.sentiment", "doc.cats", "doc.spans"]
    assert found["attrs"]["doc._.summary"]["assigns"] == ["summary"]


def test_pipes_can_be_renamed_and_removed(nlp: Language, expected: list[dict[str, Any]]) -> None:
    nlp.rename_pipe("sentiment", "mood")
    assert snapshot(nlp(TEXTS[0])) == close(expected[0])
    nlp.remove_pipe("mood")
    assert list(snapshot(nlp(TEXTS[0]))["fields"]) == ["summary"]


def test_add_pipe_on_a_blank_language(config: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    nlp = spacy.blank("en")
    for name in config["nlp"]["pipeline"]:
        block = dict(config["components"][name])
        nlp.add_pipe(block.pop("factory"), name=name, config=block)
    assert [snapshot(doc) for doc in nlp.pipe(TEXTS)] == close(expected)


def test_a_pipe_can_be_taken_from_another_pipeline(nlp: Language, expected: list[dict[str, Any]]) -> None:
    other = spacy.blank("en")
    for name in nlp.pipe_names:
        other.add_pipe(name, source=nlp)
    assert snapshot(other(TEXTS[0])) == close(expected[0])


def test_config_round_trip(nlp: Language, expected: list[dict[str, Any]]) -> None:
    text = nlp.config.to_str()
    for again in (
        load_model_from_config(Config().from_str(text), auto_fill=False),
        mmpipe.load(Config().from_str(text)),
        load_model_from_config(nlp.config.copy()),
    ):
        assert again.config["nlp"] == nlp.config["nlp"] and again.config["components"] == nlp.config["components"]
        assert [snapshot(doc) for doc in again.pipe(TEXTS)] == close(expected)


def test_to_bytes_carries_the_weights(nlp: Language, tiny: Callable[..., str], expected: list[dict[str, Any]]) -> None:
    other = mmpipe.load(pipeline(tiny("bert", labels=("negative", "positive"), seed=5), tiny("distilbert", seed=5)))
    assert snapshot(other(TEXTS[0])) != close(expected[0])
    other.from_bytes(nlp.to_bytes())
    assert [snapshot(doc) for doc in other.pipe(TEXTS)] == close(expected)


def test_labels_are_in_the_meta(nlp: Language) -> None:
    assert nlp.pipe_labels["sentiment"] == ["negative", "positive"]


@pytest.mark.parametrize("key", ["sentiment", "summary"])
def test_displacy_shows_the_spans(nlp: Language, key: str) -> None:
    doc = nlp(TEXTS[0])
    html = displacy.render(doc, style="span", options={"spans_key": key}, jupyter=False)
    assert "wonderful" not in html and "film" in html
    assert all(span.label_ in html for span in doc.spans[key])


@pytest.mark.parametrize("component", ["sentiment", "summary"])
def test_only_the_document_that_fails_is_dropped(config: dict[str, Any], component: str) -> None:
    nlp = mmpipe.load(config, {f"components.{component}.model.long_text": "error"})
    too_long = " ".join(["cat"] * 500)
    failed = []
    nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((name, [d.text for d in docs], type(error))))
    found = [doc.text for doc in nlp.pipe([*TEXTS, too_long, *TEXTS], batch_size=20)]
    assert found == [*TEXTS, *TEXTS]
    assert failed == [(component, [too_long], mmpipe.RecordError)]
    with pytest.raises(mmpipe.RecordError, match="more than the model's"):
        mmpipe.load(config, {f"components.{component}.model.long_text": "error"})(too_long)


# Sentence boundaries


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("factory", "settings"), [("mmpipe_summariser", {}), ("mmpipe_sentiment", {"per_sentence": True})]
)
@pytest.mark.parametrize("before", [[], ["sentencizer"], ["senter"], ["parser"]])
def test_a_sentencizer_is_added_where_there_is_none_and_said_so(
    recwarn: pytest.WarningsRecorder, lang: str, factory: str, settings: dict[str, Any], before: list[str]
) -> None:
    nlp = spacy.blank(lang)
    for name in before:
        nlp.add_pipe(name)
    nlp.add_pipe(factory, config=settings)
    assert nlp.pipe_names == [*(before or ["sentencizer"]), factory]
    said = [str(w.message) for w in recwarn if "sentencizer" in str(w.message)]
    assert bool(said) == (not before)
    assert not said or f"'{factory}' needs sentences" in said[0]


def test_no_sentencizer_for_who_needs_no_sentences(tiny: Callable[..., str]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("mmpipe_sentiment")
    nlp.add_pipe("mmpipe_summariser", config={"model": {"@architectures": "mmpipe.Seq2Seq.v1", "name": tiny("bart")}})
    assert nlp.pipe_names == ["mmpipe_sentiment", "mmpipe_summariser"]


def test_mmpipe_load_says_it_as_a_log_line(config: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    bare = {**config, "nlp": {"lang": "zh", "pipeline": ["summary"]}}
    nlp = mmpipe.load(bare)
    assert nlp.pipe_names == ["sentencizer", "summary"]
    assert "a sentencizer was added" in caplog.text
    doc = nlp("天气很好。我们走吧！")
    assert [span.text for span in doc.spans["summary"]] == ["天气很好。", "我们走吧！"]
