"""The page, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from mmpipe_explain.command import explain
from mmpipe_explain.deletion import check, without
from mmpipe_explain.render import render
from spacy.language import Language

import mmpipe

Explaining = Callable[..., Language]
TEXTS = [
    "This <script>alert('film')</script> is good & \"bad\".",
    "这部电影很好看。",
    "هذا الفيلم رائع جدا.",
    "good\x00 food\x07\n\nnever  again",
]


class Reader(HTMLParser):
    """The tags of a page, and the texts of its heat maps, one an explanation."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.heats: list[str] = []
        self._is_inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if dict(attrs).get("class") == "heat":
            self.heats.append("")
            self._is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = self._is_inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.heats[-1] += data


@pytest.fixture(scope="module")
def nlp(tiny: Callable[..., str], explaining: Explaining) -> Language:
    return explaining("mmpipe_sentiment", tiny("bert", labels=("<b>neg", "pos")), method="occlusion", baseline="mask")


@pytest.fixture
def pipeline(tiny: Callable[..., str], tmp_path: Path) -> str:
    config = {
        "nlp": {"lang": "en", "pipeline": ["tone"]},
        "components": {
            "tone": {"factory": "mmpipe_sentiment", "model": {"name": tiny("bert", labels=("negative", "positive"))}}
        },
    }
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(config), "utf-8")
    return str(file)


def test_the_text_stands_there_as_it_is_and_nothing_else_does(nlp: Language) -> None:
    docs = list(nlp.pipe(TEXTS))
    html = render(docs)
    read = Reader(html)
    controls = str.maketrans({"\x00": "␀", "\x07": "␇"})
    assert read.heats == [text.translate(controls) for text in TEXTS]
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"script", "link", "img", "iframe", "b"}
    assert "http" not in html.split("<body>")[1] and "url(" not in html
    assert all(attrs["dir"] == "auto" for tag, attrs in read.tags if attrs.get("class") == "heat")


def test_figures_colours_and_lines_say_the_same(nlp: Language) -> None:
    doc = nlp("the quick brown fox jumps over the lazy dog and the cat sat on the mat")
    (found,) = doc._.explanations
    spans = [attrs for tag, attrs in Reader(render(doc)).tags if tag == "span" and "style" in attrs]
    assert [attrs["title"] for attrs in spans] == [f"{token['weight']:+.4f}" for token in found["tokens"]]
    strongest = max(range(len(spans)), key=lambda index: abs(found["tokens"][index]["weight"]))
    weight, style = found["tokens"][strongest]["weight"], spans[strongest]["style"]
    assert ("0, 114, 178, 0.650" in style and "solid" in style) == (weight > 0)
    assert ("213, 94, 0, 0.650" in style and "dotted" in style) == (weight < 0)


def test_an_answer_is_framed_and_a_text_without_explanations_is_shown_as_such(
    tiny: Callable[..., str], explaining: Explaining
) -> None:
    nlp = explaining("mmpipe_qa", tiny("bert", has_spans=True), method="gradient_x_input")
    doc = nlp(mmpipe.make_doc(nlp, {"id": "a<1>", "text": "The sun came out.", "question": "Who?"}))
    html = render([doc, nlp("")])
    assert "a&lt;1&gt;" in html and "nothing to explain" in html
    framed = [attrs for tag, attrs in Reader(html).tags if attrs.get("class") == "answer"]
    (answer,) = doc._.answers
    overlapping = [
        t for t in doc._.explanations[0]["tokens"] if t["start"] < answer["end"] and t["end"] > answer["start"]
    ]
    assert len(framed) == len(overlapping) > 0


def test_the_command_draws_a_pipeline_that_explains_nothing_itself(pipeline: str, tmp_path: Path) -> None:
    lines = [{"id": "one", "text": "this film is good"}, {"id": "two", "text": 5}, {"text": "that one is bad"}]
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    page = tmp_path / "page.html"
    with pytest.raises(typer.Exit) as left:
        explain(pipeline, [str(records)], str(page), method="occlusion", unit="word")
    assert left.value.exit_code == 4, "one record cannot be read"
    html = page.read_text("utf-8")
    assert Reader(html).heats == ["this film is good", "that one is bad"]
    assert "<h2>one</h2>" in html and "<h2>records.jsonl:3</h2>" in html and "occlusion" in html
    explain(pipeline, [str(records)], str(page), limit=1)
    assert Reader(page.read_text("utf-8")).heats == ["this film is good"]
    with pytest.raises(mmpipe.ConfigError, match="lime"):
        explain(pipeline, [str(records)], str(page), method="lime")


def test_the_check_prints_a_line_for_each_method(pipeline: str, tmp_path: Path, capsys: Any) -> None:
    texts = ["the quick brown fox jumps over the lazy dog", "this film is good, that one is bad", "too short"]
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    check(pipeline, [str(records)], k=3, draws=2)
    first, head, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("2 texts, 3 words deleted") and "random" in head
    assert [line.split()[0] for line in lines] == ["integrated_gradients", "gradient_x_input", "occlusion"]
    with pytest.raises(mmpipe.ConfigError, match="nothing to delete from"):
        check(pipeline, [str(records)], k=50)


def test_words_are_deleted_where_they_stand() -> None:
    assert without("one two three two", [(4, 7), (14, 17)]) == "one  three "


def test_what_decides_a_label_is_what_words_do_to_it(explaining: Explaining) -> None:
    """On the shipped model: deleting the words of most weight lowers the score further than deleting others."""
    nlp = mmpipe.load("explained-sentiment", {"components.explain.unit": "word"})
    text = "We arrived at about seven in the evening and the food was absolutely horrible, to say it to you plainly."
    doc = nlp(text)
    (found,) = doc._.explanations
    assert found["component"] == "sentiment" and found["target"] == "negative"
    by_weight = sorted(found["tokens"], key=lambda token: -token["weight"])
    assert "horrible," in [token["text"] for token in by_weight[:2]]
    total = sum(token["weight"] for token in found["tokens"])
    assert total == pytest.approx(found["score"] - found["baseline_score"], abs=0.011)
