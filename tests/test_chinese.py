"""The Chinese path: a blank `zh` pipeline, sentences ended by 。！？, offsets, mixed scripts, files and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from typer.testing import CliRunner

import mmpipe
from mmpipe.cli.main import app
from mmpipe.component import sentences

ROOT = Path(__file__).parents[1]
ARTICLES = ROOT / "corpora/articles"
ENDED = re.compile(r"[^。！？\n]*(?:[。！？]+[”’」』）]*|(?=\n|$))")
MIXED = "我用 iPhone 15 拍了照片！Really good。价格是￥5,999，不贵吗？👍🏽 当然！"


@pytest.fixture
def nlp() -> spacy.Language:
    found = spacy.blank("zh")
    found.add_pipe("sentencizer")
    return found


def load(folder: str, factory: str = "mmpipe_sentiment", **options: Any) -> spacy.Language:
    own = {"factory": factory, "model": {"name": folder, "device": "cpu", "precision": "fp32"}, **options}
    parts = {"cut": {"factory": "sentencizer"}, "own": own}
    return mmpipe.load({"nlp": {"lang": "zh", "pipeline": ["cut", "own"]}, "components": parts})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("天气很好。我们走吧！你来吗？", ["天气很好。", "我们走吧！", "你来吗？"]),
        ("他说：“好。”我不信！", ["他说：“好。”", "我不信！"]),
        ("「はい。」と言った。終わり。", ["「はい。」", "と言った。", "終わり。"]),
        ("真的吗？！真的。", ["真的吗？！", "真的。"]),
        ("（他走了。）天黑了。", ["（他走了。）", "天黑了。"]),
        ("他走了。“为什么？”她问。「さて。」", ["他走了。", "“为什么？”", "她问。", "「さて。」"]),
        ('他说："好。"我不信！', ['他说："好。"', "我不信！"]),
        ("没有句号", ["没有句号"]),
        ("半角也行.还有!对吗?", ["半角也行.", "还有!", "对吗?"]),
        ("第一段。\n\n第二段。", ["第一段。", "第二段。"]),
        (MIXED, ["我用 iPhone 15 拍了照片！", "Really good。", "价格是￥5,999，不贵吗？", "👍🏽 当然！"]),
    ],
)
def test_sentences_end_at_their_marks(nlp: spacy.Language, text: str, wanted: list[str]) -> None:
    doc = nlp(text)
    assert [sent.text for sent in sentences(doc)] == wanted
    assert all(text[sent.start_char : sent.end_char] == sent.text for sent in sentences(doc))


@pytest.mark.skipif(not ARTICLES.exists(), reason="corpora/ is not beside this distribution")
def test_a_whole_article_is_cut_as_its_marks_say(nlp: spacy.Language) -> None:
    text = json.loads((ARTICLES / "articles.zh.jsonl").read_text("utf-8").splitlines()[0])["text"]
    wanted = [found.strip() for found in ENDED.findall(text) if found.strip()]
    assert [sent.text for sent in sentences(nlp(text))] == wanted
    assert len(wanted) > 40


def test_each_sentence_of_a_mixed_text_has_its_label_and_place(tiny: Callable[..., str]) -> None:
    nlp = load(tiny("roberta", labels=("bad", "good")), per_sentence=True)
    found = nlp(MIXED)._.sentiment["sentences"]
    assert [MIXED[one["start"] : one["end"]] for one in found] == [sent.text for sent in sentences(nlp(MIXED))]
    alone = [nlp(MIXED[one["start"] : one["end"]])._.sentiment for one in found]
    assert [one["label"] for one in found] == [one["label"] for one in alone]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in alone], abs=1e-5)


def test_answers_in_a_long_text_stand_where_they_say(tiny: Callable[..., str]) -> None:
    """Bytes are pieces to this tokenizer: an answer may begin at no place but a character's first byte."""
    folder = tiny("roberta", has_spans=True)
    text = MIXED * 12
    nlp = load(folder, "mmpipe_qa", top_k=5, no_answer_threshold=None)
    [answer] = nlp(mmpipe.make_doc(nlp, {"text": text, "question": "价格是多少？"}))._.answers
    assert answer["question"] == "价格是多少？"
    assert answer["coverage"] == 1.0
    for one in [answer, *answer["alternatives"]]:
        assert text[one["start"] : one["end"]] == one["text"]
        assert "\ufffd" not in one["text"]


@pytest.mark.parametrize(
    ("encoding", "options"), [("utf-8", []), ("utf-8-sig", []), ("gb18030", ["--fallback", "gb18030"])]
)
def test_chinese_files_come_out_as_they_went_in(
    tmp_path: Path, tiny: Callable[..., str], encoding: str, options: list[str]
) -> None:
    """Keys, ids and texts, from a table in any of the usual encodings, and unescaped in the output."""
    model = {"name": tiny("bert", labels=("差", "好")), "device": "cpu", "precision": "fp32"}
    pipeline = {"nlp": {"lang": "zh", "pipeline": ["情感"]}}
    pipeline["components"] = {"情感": {"factory": "mmpipe_sentiment", "model": model}}
    (tmp_path / "流程.json").write_text(json.dumps(pipeline, ensure_ascii=False), "utf-8")
    (tmp_path / "评论.csv").write_text("编号,正文\n一,天气很好。\n二,“贵，不值！”\n", encoding)
    out = tmp_path / "结果.jsonl"
    arguments = ["run", str(tmp_path / "流程.json"), str(tmp_path / "评论.csv"), "-o", str(out), "--text-key", "正文"]
    done = CliRunner().invoke(app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [(row["编号"], row["正文"]) for row in rows] == [("一", "天气很好。"), ("二", "“贵，不值！”")]
    assert {row["sentiment"]["label"] for row in rows} <= {"差", "好"}
    assert "天气很好" in out.read_text("utf-8")


@pytest.mark.skipif(not (ROOT / "README.zh.md").exists(), reason="not in the repository")
def test_the_chinese_readme_runs_and_has_the_same_two_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [(ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md")]
    commands = [re.findall(r"^    (make \w+)", text, flags=re.MULTILINE)[:2] for text in both]
    assert commands[0] == commands[1] == ["make run", "make test"]
    (listing,) = re.findall(r"```python\n(.*?)```", both[1], flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(listing, {})
    printed = capsys.readouterr().out
    assert "天气很好。" in printed and "0 5 天气很好。" in printed
    for target in re.findall(r"\]\((?!http)([^)#]+)", both[1]):
        assert (ROOT / target).exists(), target


def test_a_chinese_name_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(
        json.dumps({"nlp": {"lang": "zh", "pipeline": ["情感"]}}, ensure_ascii=False), "utf-8"
    )
    with pytest.raises(mmpipe.MmpipeError, match="情感"):
        mmpipe.load(tmp_path / "p.json")
