"""A metric that a plugin brings: listed, resampled, reported; and what `score` makes of one in training."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

import mmpipe
from mmpipe.corpus.source import Item
from mmpipe.evaluate.evaluation import Evaluation
from mmpipe.evaluate.gold import Placed
from mmpipe.evaluate.report import html
from mmpipe.evaluate.resample import Resampling
from mmpipe.evaluate.task import Wishes
from mmpipe.plugins import get_plugins
from mmpipe.testing import write_plugin

HOOKS = """
import mmpipe

@mmpipe.hookimpl
def mmpipe_metrics():
    yield mmpipe.MetricSpec("length", "length_metric:Length", "how long")
    yield mmpipe.MetricSpec("gone", "no_such_module:Gone")
"""
METRIC = """
from mmpipe.metrics.base import Metric, Pair

class Length(Metric):
    name, gold_key, headline, is_lower_better = "length", "n", "error", True

    def read_gold(self, record, key=None):
        return record.get(key or self.gold_key)

    def pairs(self, gold, predicted):
        return [Pair(gold, predicted)]

    def measure(self, pairs):
        return {"error": sum(abs(p.gold - p.predicted) for p in pairs) / len(pairs), "unit": "words"}
"""


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path / "site"
    site.mkdir()
    write_plugin(site, "length", HOOKS, files={"length_metric.py": METRIC})
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    get_plugins.cache_clear()
    yield
    for name in ("length_plugin", "length_metric"):
        sys.modules.pop(name, None)
    get_plugins.cache_clear()


@pytest.mark.usefixtures("_plugin")
def test_a_plugins_metric() -> None:
    if not Doc.has_extension("size"):
        Doc.set_extension("size", default=None)

    @Language.component("test_size", assigns=["doc._.size"])
    def size(doc: Doc) -> Doc:
        doc._.size = len(doc)
        return doc

    Path("p.json").write_text(
        json.dumps({"nlp": {"lang": "en", "pipeline": ["s"]}, "components": {"s": {"factory": "test_size"}}})
    )
    Path("g.jsonl").write_text("".join(json.dumps({"text": "a " * i, "n": i + i % 3}) + "\n" for i in range(1, 10)))
    found = Evaluation(get_plugins(), Wishes({}, {"size": "length"}, {}), Resampling(100)).of_pipeline(
        "p.json", ["g.jsonl"]
    )
    task = found["tasks"]["s"]
    assert task["figures"] == {"error": 1.0, "unit": "words"}
    assert task["intervals"]["error"][0] < 1.0 < task["intervals"]["error"][1]
    assert task["worst"] == [] and "<h2>s</h2>" in html(found)
    assert {"length", "qa", "classification"} <= set(get_plugins().names("metrics"))
    with pytest.raises(mmpipe.PluginError, match=r"metric 'gone' of mmpipe-length 1\.0"):
        get_plugins().code("metrics", "gone")
    with pytest.raises(mmpipe.PluginError, match=r"did you mean 'length'"):
        get_plugins().code("metrics", "lenght")


@pytest.mark.usefixtures("_plugin")
def test_a_metric_that_cannot_be_imported_is_in_nobodys_way() -> None:
    results = {"text": "x", "label": "a", "tone": {"label": "a", "score": 0.7, "scores": {"a": 0.7, "b": 0.3}}}
    Path("r.jsonl").write_text(json.dumps(results) + "\n")
    job = Evaluation(get_plugins(), Wishes({}, {}, {}), Resampling(0))
    assert job.of_results("r.jsonl")["tasks"]["tone"]["figures"]["accuracy"] == 1.0
    assert job._strata([Placed(Item("r.jsonl:1", results), Path("."))]) == ["a"]


def test_score_is_the_metric_of_the_component(tiny: Callable[..., str]) -> None:
    model = {"name": tiny("bert", labels=("bad", "good")), "precision": "fp32", "device": "cpu"}
    nlp = mmpipe.load(
        {
            "nlp": {"lang": "en", "pipeline": ["tone"]},
            "components": {"tone": {"factory": "mmpipe_sentiment", "model": model}},
        }
    )
    texts = ["this film is good", "never again, not even for free!", "cat", "what a wonderful day"]
    said = [doc._.sentiment["label"] for doc in nlp.pipe(texts)]
    gold = [*said[:3], {"bad": "good", "good": "bad"}[said[3]]]
    docs = [mmpipe.make_doc(nlp, {"text": text, "label": label}) for text, label in zip(texts, gold, strict=True)]
    scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in docs])
    assert scores["tone_accuracy"] == 0.75 and 0 < scores["tone_f1_macro"] < 1
    assert not any(key.startswith("tone_") for key in nlp.evaluate([Example(nlp.make_doc("x"), nlp.make_doc("x"))]))
