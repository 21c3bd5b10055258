"""`mmpipe evaluate`: every record accounted for, and the figures those that a reader would count."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from spacy.language import Language
from spacy.tokens import Doc

from mmpipe import load

LABELS = ["bad", "good"]
WORDS = ["awful", "dull", "fine", "lovely"]
RECORDS: list[dict[str, Any]] = [
    {
        "id": f"r{i}",
        "text": f"a {WORDS[i % 4]} <b>film</b>",
        "label": LABELS[(i * 7 % 11) > 5 - 2 * (i % 4 > 1)],
        "style": "ab"[i % 3 > 0],
        "n": i,
    }
    for i in range(60)
]


@pytest.fixture(scope="module", autouse=True)
def _components() -> None:
    for name in ("tone", "answers"):
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)

    @Language.component("eval_tone", assigns=["doc._.tone"])
    def tone(doc: Doc) -> Doc:
        if "explode" in doc.text:
            raise ValueError("boom")
        share = 0.2 + 0.2 * next((i for i, word in enumerate(WORDS) if word in doc.text), 0)
        scores = dict(zip(LABELS, (1 - share, share), strict=True))
        label = max(scores, key=lambda name: scores[name])
        doc._.tone = {"label": label, "score": scores[label], "scores": scores}
        return doc

    @Language.component("eval_answers", assigns=["doc._.answers"])
    def answers(doc: Doc) -> Doc:
        word = doc.text.split()[0] if doc.text else None
        doc._.answers = [{"question": doc._.record["question"], "text": word, "no_answer_score": 0.1 if word else 0.9}]
        return doc


def jsonl(path: str, records: list[Any]) -> str:
    Path(path).write_text("".join(json.dumps(r) + "\n" if r != "broken" else "{\n" for r in records), "utf-8")
    return path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("tone", "answers"):
        tree = {"nlp": {"lang": "en", "pipeline": [name]}, "components": {name: {"factory": f"eval_{name}"}}}
        Path(f"{name}.json").write_text(json.dumps(tree))
    both = {"tone": {"factory": "eval_tone"}, "answers": {"factory": "eval_answers"}}
    Path("both.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": [*both]}, "components": both}))
    jsonl("gold.jsonl", RECORDS)


TONE = ("evaluate", "tone.json", "gold.jsonl", "--metric", "tone=classification", "--bootstrap", 50)


def said(record: dict[str, Any]) -> str:
    return LABELS[any(word in record["text"] for word in WORDS[2:])]


def test_figures_slices_and_intervals(mmpipe: Callable) -> None:
    found = mmpipe(*TONE, "--by", "style", "--by", "n", "--json")
    assert found.code == 0 and found.err == ""
    whole = json.loads(found.out)
    assert whole["schema"] == "mmpipe.evaluation.v1" and whole["counts"] == {"read": 60, "unread": 0, "failed": 0}
    task = whole["tasks"]["tone"]
    gold, predicted = [r["label"] for r in RECORDS], [said(r) for r in RECORDS]
    wanted = f1_score(gold, predicted, average="macro")
    assert task["figures"]["f1_macro"] == pytest.approx(wanted) and 0.4 < wanted < 0.95
    low, high = task["intervals"]["f1_macro"]
    assert low < wanted < high
    for style, part in task["slices"]["style"].items():
        chosen = [i for i, r in enumerate(RECORDS) if r["style"] == style]
        wanted = f1_score([gold[i] for i in chosen], [predicted[i] for i in chosen], average="macro")
        assert part["figures"]["f1_macro"] == pytest.approx(wanted) and part["records"] == len(chosen)
    assert list(task["slices"]["n"]) == [
        "0 to below 14.75",
        "14.75 to below 29.5",
        "29.5 to below 44.25",
        "44.25 to 59",
    ]
    again = mmpipe(*TONE, "--by", "style", "--by", "n", "--json")
    assert again.out == found.out, "equal seeds, equal bytes"
    assert mmpipe(*TONE, "--by", "style", "--by", "n", "--json", "--seed", 1).out != found.out


def test_provenance(mmpipe: Callable) -> None:
    made = json.loads(mmpipe(*TONE, "--json").out)
    data = Path("gold.jsonl").read_bytes()
    (file,) = made["provenance"]["gold"]
    assert file == {"name": "gold.jsonl", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert made["provenance"]["pipeline"]["components"]["tone"]["factory"] == "eval_tone"
    assert len(made["provenance"]["pipeline"]["config_sha256"]) == len(made["data_sha256"]) == 64
    assert made["provenance"]["versions"]["mmpipe"]
    fewer = json.loads(mmpipe(*TONE, "--json", "--limit", 30).out)
    assert fewer["counts"]["read"] == 30 and fewer["data_sha256"] != made["data_sha256"]


def test_every_record_is_accounted_for(mmpipe: Callable) -> None:
    odd = [
        {"id": "x", "text": "explode", "label": "good"},
        {"text": "no gold here"},
        "broken",
        {"text": "fine", "label": {"a": "b"}},
        {"text": 5, "label": "bad"},
    ]
    jsonl("odd.jsonl", RECORDS + odd)
    found = mmpipe("evaluate", "tone.json", "odd.jsonl", "--metric", "tone=classification", "--json", "--bootstrap", 0)
    assert found.code == 4
    whole = json.loads(found.out)
    assert whole["counts"] == {"read": 65, "unread": 1, "failed": 2}
    task = whole["tasks"]["tone"]
    assert task["counts"] == {"records": 60, "pairs": 60, "without_gold": 1, "malformed": 1, "failed": 2}
    assert task["without_gold"] == ["odd.jsonl:62"] and task["malformed"][0]["origin"] == "odd.jsonl:64"
    assert [(f["origin"], f["component"]) for f in task["failures"]] == [
        ("odd.jsonl:61", "tone"),
        ("odd.jsonl:65", None),
    ]
    for part in ("odd.jsonl:62", "odd.jsonl:63", "odd.jsonl:64", "boom", "without gold under 'label'"):
        assert part in found.err
    assert (
        task["figures"]["f1_macro"] == json.loads(mmpipe(*TONE, "--json").out)["tasks"]["tone"]["figures"]["f1_macro"]
    )


def test_gold_under_the_name_of_the_component_is_no_clash(mmpipe: Callable) -> None:
    """SQuAD's rows: the gold stands under `answers`, where the component writes."""
    rows = [
        {
            "id": "1",
            "context": "Denver won",
            "question": "who?",
            "answers": [{"text": "Denver", "start": 0}],
            "impossible": False,
        },
        {
            "id": "2",
            "context": "Nobody else",
            "question": "who?",
            "answers": [{"text": "the Broncos", "start": 0}],
            "impossible": False,
        },
        {"id": "3", "context": "", "question": "who?", "answers": [], "impossible": True},
        {"id": "4", "context": "No idea", "question": "who?", "answers": [], "impossible": True},
    ]
    with gzip.open("squad.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    found = mmpipe(
        "evaluate", "answers.json", "squad.jsonl.gz", "--metric", "answers=qa", "--text-key", "context", "--json"
    )
    assert found.code == 0, found.err
    figures = json.loads(found.out)["tasks"]["answers"]["figures"]
    assert (figures["exact"], figures["has_answer_f1"], figures["no_answer_exact"]) == (50.0, 50.0, 50.0)
    assert figures["answerable_accuracy"] == 0.75 and figures["best_answerable_accuracy"] == 0.75
    table = mmpipe("evaluate", "answers.json", "squad.jsonl.gz", "--metric", "answers=qa", "--text-key", "context")
    assert re.search(r"f1 +50\.000", table.out) and table.err == ""


def test_several_components_each_where_there_is_gold(mmpipe: Callable) -> None:
    jsonl("both.jsonl", [{**r, "question": "q?", **({"right": "a"} if i < 20 else {})} for i, r in enumerate(RECORDS)])
    options = ("--metric", "tone=classification", "--metric", "answers=qa", "--gold", "answers=right", "--json")
    found = json.loads(mmpipe("evaluate", "both.json", "both.jsonl", *options, "--bootstrap", 20).out)
    counts = {
        name: (task["counts"]["records"], task["counts"]["without_gold"]) for name, task in found["tasks"].items()
    }
    assert counts == {"tone": (60, 0), "answers": (20, 40)}
    assert found["tasks"]["answers"]["gold_key"] == "right" and found["tasks"]["answers"]["figures"]["exact"] == 100.0


def test_labels_of_another_name(mmpipe: Callable) -> None:
    wanted = json.loads(mmpipe(*TONE, "--json").out)["tasks"]["tone"]["figures"]["f1_macro"]
    jsonl("numbers.jsonl", [{**r, "label": [4, 0][r["label"] == "bad"]} for r in RECORDS])
    base = ("evaluate", "tone.json", "numbers.jsonl", "--metric", "tone=classification", "--bootstrap", 0)
    found = mmpipe(*base)
    assert found.code == 4 and "'4'" in found.err, "without a pipeline of its own labels the records fail one by one"
    found = mmpipe(*base, "--labels", "0=bad,4=good", "--json")
    assert found.code == 0 and json.loads(found.out)["tasks"]["tone"]["figures"]["f1_macro"] == wanted
    left = json.loads(mmpipe(*base, "--labels", "tone:0=bad,4=", "--json").out)["tasks"]["tone"]["counts"]
    assert left["without_gold"] == sum(r["label"] == "good" for r in RECORDS)
    assert "4 = good" in mmpipe(*base, "--labels", "0=bad,4=good").out


def test_unknown_labels_end_before_anything_runs(mmpipe: Callable, tiny: Callable[..., str]) -> None:
    model = {"name": tiny("bert", labels=tuple(LABELS)), "precision": "fp32"}
    tree = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "mmpipe_sentiment", "model": model}},
    }
    Path("s.json").write_text(json.dumps(tree))
    jsonl("three.jsonl", [*RECORDS, {"text": "x", "label": "neutral"}, {"text": "x", "label": 7}])
    found = mmpipe("evaluate", "s.json", "three.jsonl")
    assert found.code == 3 and found.out == ""
    assert "'neutral' (1 times)" in found.err and "'7' (1 times)" in found.err and "--labels" in found.err


def results(path: str, flip: int = 0) -> str:
    rows = []
    for i, record in enumerate(RECORDS):
        label = said(record) if not flip or i % flip else LABELS[said(record) == "bad"]
        scores = {name: 0.8 if name == label else 0.2 for name in LABELS}
        rows.append({**record, "sentiment": {"label": label, "score": 0.8, "scores": scores}})
    return jsonl(path, rows)


def test_results_instead_of_a_pipeline(mmpipe: Callable) -> None:
    wanted = json.loads(mmpipe(*TONE, "--json").out)["tasks"]["tone"]["figures"]
    found = mmpipe("evaluate", "--results", results("out.jsonl"), "--json", "--bootstrap", 0)
    assert found.code == 0, found.err
    whole = json.loads(found.out)
    assert whole["tasks"]["sentiment"]["figures"]["f1_macro"] == wanted["f1_macro"]
    assert whole["provenance"]["results"] == "out.jsonl"
    bare = jsonl(
        "bare.jsonl",
        [
            {k: v for k, v in json.loads(line).items() if k != "label"}
            for line in Path("out.jsonl").read_text().splitlines()[1:]
        ],
    )
    found = mmpipe("evaluate", "--results", bare, "gold.jsonl", "--json", "--bootstrap", 0)
    assert found.code == 4 and "no record with the id 'r0'" in found.err
    assert json.loads(found.out)["tasks"]["sentiment"]["counts"]["records"] == 59


def test_results_whose_gold_is_the_prediction(mmpipe: Callable) -> None:
    jsonl("answered.jsonl", [{"id": "1", "answers": [{"question": "q", "text": "x"}]}])
    found = mmpipe("evaluate", "--results", "answered.jsonl")
    assert found.code == 3 and "hold predictions under 'answers'" in found.err and "--gold answers=KEY" in found.err


def test_results_that_repeat_an_id_are_not_guessed(mmpipe: Callable) -> None:
    rows = Path(results("out.jsonl")).read_text().splitlines()
    jsonl("twice.jsonl", [json.loads(row) for row in (*rows, rows[3])])
    found = mmpipe("evaluate", "--results", "twice.jsonl", "gold.jsonl", "--json", "--bootstrap", 0)
    assert found.code == 4 and "hold 2 records with the id 'r3'" in found.err
    assert json.loads(found.out)["tasks"]["sentiment"]["counts"]["records"] == 59
    assert mmpipe("evaluate", "--results", "twice.jsonl", "--json", "--bootstrap", 0).code == 0


def test_results_of_which_one_field_stands_where_its_gold_would(mmpipe: Callable) -> None:
    rows = [json.loads(row) for row in Path(results("out.jsonl")).read_text().splitlines()]
    jsonl("two.jsonl", [{**row, "answers": [{"question": "q", "text": "x"}]} for row in rows])
    found = mmpipe("evaluate", "--results", "two.jsonl", "--json", "--bootstrap", 0)
    assert found.code == 0, found.err
    assert set(json.loads(found.out)["tasks"]) == {"sentiment"}


def test_gold_that_asks_nothing_is_no_gold(mmpipe: Callable) -> None:
    row = {"id": "1", "text": "Denver won", "question": "who?"}
    options = ("--metric", "answers=qa", "--gold", "right", "--json", "--bootstrap", 20)
    jsonl("none.jsonl", [{**row, "right": {}}])
    assert mmpipe("evaluate", "answers.json", "none.jsonl", *options).code == 5
    jsonl("some.jsonl", [{**row, "right": {}}, {**row, "right": "Denver"}])
    found = mmpipe("evaluate", "answers.json", "some.jsonl", *options)
    assert json.loads(found.out)["tasks"]["answers"]["counts"]["without_gold"] == 1


def test_a_component_of_two_fields(mmpipe: Callable) -> None:
    for field in ("mood", "gist"):
        if not Doc.has_extension(field):
            Doc.set_extension(field, default=None)

    @Language.component("eval_both", assigns=["doc._.mood", "doc._.gist"])
    def both(doc: Doc) -> Doc:
        doc._.mood = {"label": "good", "score": 0.7, "scores": {"bad": 0.3, "good": 0.7}}
        doc._.gist = {"text": doc.text, "sentences": []}
        return doc

    tree = {"nlp": {"lang": "en", "pipeline": ["both"]}, "components": {"both": {"factory": "eval_both"}}}
    Path("p.json").write_text(json.dumps(tree))
    jsonl("g.jsonl", [{"text": "a film", "label": "good", "summary": "a film"}, {"text": "x", "label": "bad"}])
    options = ("--metric", "mood=classification", "--metric", "gist=summary", "--json", "--bootstrap", 0)
    found = mmpipe("evaluate", "p.json", "g.jsonl", *options)
    assert found.code == 0, found.err
    tasks = json.loads(found.out)["tasks"]
    assert tasks["mood"]["figures"]["accuracy"] == 0.5 and tasks["gist"]["figures"]["rouge1"] == 100.0
    assert tasks["mood"]["counts"]["records"] == 2 and tasks["gist"]["counts"]["without_gold"] == 1


def test_half_a_surrogate_pair_is_written_as_json_spells_it(mmpipe: Callable) -> None:
    rows = [json.loads(row) for row in Path(results("out.jsonl")).read_text().splitlines()[:8]]
    jsonl("half.jsonl", [{**row, "text": "\ud800"} for row in rows])
    found = mmpipe("evaluate", "--results", "half.jsonl", "-o", "e.json", "--json", "--bootstrap", 0)
    assert found.code == 0, found.err
    assert json.loads(found.out)["tasks"]["sentiment"]["worst"][0]["text"] == "\ud800"
    assert json.loads(Path("e.json").read_text("utf-8")) == json.loads(found.out)


def test_against_where_a_figure_has_no_meaning(mmpipe: Callable) -> None:
    """All gold is one label: there is no AUC, of either."""
    rows = [json.loads(row) for row in Path(results("out.jsonl")).read_text().splitlines()]
    jsonl("good.jsonl", [row for row in rows if row["label"] == "good"])
    found = mmpipe("evaluate", "--results", "good.jsonl", "--against", "good.jsonl", "--bootstrap", 20)
    assert found.code == 0 and re.search(r"^accuracy .* \+0\.000", found.out, re.MULTILINE)


def test_against_another(mmpipe: Callable) -> None:
    results("worse.jsonl", flip=3)
    results("same.jsonl")
    options = ("--json", "--bootstrap", 200)
    found = mmpipe("evaluate", "--results", "same.jsonl", "--against", "worse.jsonl", *options)
    told = json.loads(found.out)["tasks"]["sentiment"]["against"]
    gold = [r["label"] for r in RECORDS]
    flipped = [said(r) if i % 3 else LABELS[said(r) == "bad"] for i, r in enumerate(RECORDS)]
    wanted = np.mean([g == said(r) for g, r in zip(gold, RECORDS, strict=True)]) - np.mean(
        [g == f for g, f in zip(gold, flipped, strict=True)]
    )
    assert told["records"] == 60 and told["differences"]["accuracy"]["value"] == pytest.approx(wanted)
    assert told["differences"]["accuracy"]["interval"][0] < wanted < told["differences"]["accuracy"]["interval"][1]
    by_pipeline = mmpipe(*TONE, "--against", "same.jsonl", "--json")
    assert json.loads(by_pipeline.out)["tasks"]["tone"]["against"]["differences"]["f1_macro"]["value"] == 0
    itself = mmpipe(*TONE, "--against", "tone.json")
    assert itself.code == 0 and "of the other" in itself.out


class Report(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_report_and_json_file(mmpipe: Callable) -> None:
    found = mmpipe(*TONE, "--by", "style", "-o", "e.json", "--report", "e.html")
    assert found.code == 0, found.err
    page = Path("e.html").read_text("utf-8")
    parsed = Report()
    parsed.feed(page)
    assert parsed.links and all(link.startswith("data:image/svg+xml;base64,") for link in parsed.links)
    assert parsed.tags.count("img") == 4 and not {"script", "link", "iframe", "b"} & set(parsed.tags)
    assert "&lt;b&gt;film&lt;/b&gt;" in page and "prefers-color-scheme: dark" in page
    assert "http" not in re.sub(r"data:[^\"]*|http-equiv", "", page)
    whole = json.loads(Path("e.json").read_text("utf-8"))
    worst = whole["tasks"]["tone"]["worst"]
    assert len(worst) == 10 and [one["score"] for one in worst] == sorted(one["score"] for one in worst)
    assert all(said({"text": one["text"]}) != one["gold"] for one in worst)
    assert all(str(one["id"]) in page for one in worst)
    assert mmpipe(*TONE, "-o", "e.json").code == 1 and mmpipe(*TONE, "-o", "e.json", "--force").code == 0


def test_standard_input_and_csv(mmpipe: Callable) -> None:
    wanted = mmpipe(*TONE).out
    data = Path("gold.jsonl").read_bytes()
    assert mmpipe("evaluate", "tone.json", "-", *TONE[3:], stdin=data).out == wanted
    rows = "".join(f'{r["id"]},"{r["text"]}",{r["label"]}\n' for r in RECORDS)
    Path("gold.csv").write_text("id,text,label\n" + rows)
    assert mmpipe("evaluate", "tone.json", "gold.csv", *TONE[3:]).out == wanted


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "PIPELINE"),
        (["tone.json"], 2, "GOLD"),
        (["tone.json", "gold.jsonl"], 3, "--metric FIELD=METRIC"),
        (["tone.json", "gold.jsonl", "--metric", "tone"], 2, "NAME=VALUE"),
        (["tone.json", "gold.jsonl", "--metric", "tone=clasification"], 3, "did you mean 'classification'"),
        (
            ["tone.json", "gold.jsonl", "--metric", "tone=classification", "--gold", "tune=label"],
            3,
            "did you mean 'tone'",
        ),
        (["tone.json", "gold.jsonl", "--metric", "tone=classification", "--gold", "lable"], 5, "did you mean 'label'"),
        (["tone.json", "nowhere.jsonl", "--metric", "tone=classification"], 5, "nowhere.jsonl"),
        (["tone.json", "empty.jsonl", "--metric", "tone=classification"], 5, "no records"),
        (["nowhere.json", "gold.jsonl"], 3, "nowhere.json"),
        (["tone.json", "gold.jsonl", "--metric", "tone=classification", "--nlp.batchsize=3"], 3, "batch_size"),
        (["--results", "gold.jsonl"], 3, "no field of the results"),
        (["--results", "gold.jsonl", "--folds", "3"], 2, "--folds"),
        (["tone.json", "gold.jsonl", "--folds", "3", "--against", "tone.json"], 2, "--against"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, told: str, mmpipe: Callable) -> None:
    Path("empty.jsonl").touch()
    found = mmpipe("evaluate", *arguments)
    assert found.code == code, found.err
    assert told in " ".join(found.err.split()) and "Traceback" not in found.err and found.out == ""


def test_a_broken_archive_is_named(mmpipe: Callable) -> None:
    Path("cut.jsonl.gz").write_bytes(gzip.compress(Path("gold.jsonl").read_bytes())[:-20])
    found = mmpipe("evaluate", "tone.json", "cut.jsonl.gz", *TONE[3:])
    assert found.code == 5 and "cut.jsonl.gz" in found.err and "damaged" in found.err


def test_calibrate(mmpipe: Callable, tiny: Callable[..., str]) -> None:
    model = {"name": tiny("bert", labels=tuple(LABELS)), "precision": "fp32"}
    tree = {
        "nlp": {"lang": "en", "pipeline": ["s"]},
        "components": {"s": {"factory": "mmpipe_sentiment", "model": model}},
    }
    Path("s.json").write_text(json.dumps(tree))
    nlp = load("s.json")
    said = [nlp(record["text"])._.sentiment["label"] for record in RECORDS]
    flipped = [
        {**r, "label": LABELS[(label == "good") != (i % 5 == 0)]}
        for i, (r, label) in enumerate(zip(RECORDS, said, strict=True))
    ]
    jsonl("gold.jsonl", flipped)
    found = mmpipe("calibrate", "s.json", "gold.jsonl", "-o", "calibrated", "--json")
    assert found.code == 0, found.err
    (one,) = json.loads(found.out)
    assert one["component"] == "s" and one["n_records"] == 60 and one["log_loss_after"] < one["log_loss_before"]
    judged = json.loads(mmpipe("evaluate", "calibrated", "gold.jsonl", "--json", "--bootstrap", 0).out)
    assert judged["tasks"]["s"]["figures"]["log_loss"] == pytest.approx(one["log_loss_after"], abs=1e-4)
    assert judged["provenance"]["pipeline"]["components"]["s"]["temperature"] == one["after"]
    assert found.err.split() == ["saved", "to", "calibrated"]
    jsonl("odd.jsonl", [*flipped, {"text": "x"}, {"text": "x", "label": {"a": "b"}}, "broken"])
    odd = mmpipe("calibrate", "s.json", "odd.jsonl", "-o", "odd", "--json")
    assert odd.code == 4 and json.loads(odd.out)[0]["after"] == one["after"]
    for part in ("odd.jsonl:61", "odd.jsonl:62", "odd.jsonl:63", "without gold under 'label'"):
        assert part in odd.err
    again = mmpipe("calibrate", "s.json", "gold.jsonl", "-o", "calibrated")
    assert again.code == 1 and "--force" in again.err
    nothing = mmpipe("calibrate", "s.json", "-o", "x")
    assert nothing.code == 2
