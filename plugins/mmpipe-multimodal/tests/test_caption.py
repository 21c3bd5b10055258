"""The component in pipelines: on one image and many, in streams, processes, files and bytes, and at fault."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from mmpipe_multimodal.factory import DEFAULTS
from mmpipe_multimodal.retelling import retold
from PIL import Image
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

import mmpipe
from mmpipe.models.image_to_text import ImageToText
from mmpipe.models.transformer import shim_of

MODEL = {"device": "cpu", "max_new_tokens": 6}
RECORDS: list[dict[str, Any]] = [
    {"id": "one", "image": "0.png"},
    {"id": "album", "images": ["1.png", "2.png", "./1.png"]},
    {"id": "both", "image": "3.png", "images": ["4.png"], "text": "Its own words."},
    {"id": "none", "text": "Only words."},
    {"id": "blank", "text": " \n", "image": "5.png"},
    {"id": "again", "image": "0.png"},
]


def load(checkpoint: str, *later: str, model: dict[str, Any] | None = None, **settings: Any) -> Language:
    block = {"factory": "mmpipe_caption", "model": {"name": checkpoint, **MODEL, **(model or {})}, **settings}
    components = {"caption": block, **{name: {"factory": name} for name in later}}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": ["caption", *later]}, "components": components})


def docs_of(nlp: Language, corpus: Path, records: list[dict[str, Any]] | None = None) -> list[Doc]:
    return list(mmpipe.make_docs(nlp, RECORDS if records is None else records, root=corpus))


@pytest.fixture(scope="module")
def checkpoint(tiny_captioner: Callable[..., str]) -> str:
    return tiny_captioner()


def test_each_image_has_the_caption_that_hugging_face_writes(checkpoint: str, corpus: Path) -> None:
    model, tokenizer = (
        AutoModelForImageTextToText.from_pretrained(checkpoint),
        AutoTokenizer.from_pretrained(checkpoint),
    )
    processor = AutoImageProcessor.from_pretrained(checkpoint)
    nlp = load(checkpoint)
    texts = set()
    for record, doc in zip(RECORDS, nlp.pipe(docs_of(nlp, corpus)), strict=True):
        paths = [*([record["image"]] if "image" in record else []), *record.get("images", [])]
        assert [caption["image"] for caption in doc._.captions] == paths
        for caption in doc._.captions:
            pixels = processor(images=Image.open(corpus / caption["image"]), return_tensors="pt")["pixel_values"]
            ids = model.generate(pixel_values=pixels, max_new_tokens=6, do_sample=False)
            assert caption["text"] == tokenizer.decode(ids[0], skip_special_tokens=True).strip()
            assert 0 < caption["score"] <= 1
            texts.add(caption["text"])
        assert doc.text == record.get("text", "")
        assert mmpipe.to_record(doc) == {**record, "captions": doc._.captions}
    assert len(texts) > 3, "all images look alike: the test could not fail"


def told(docs: list[Doc]) -> list[tuple[str, Any]]:
    return [(doc.text, [(caption["image"], caption["text"]) for caption in doc._.captions]) for doc in docs]


@pytest.mark.parametrize("as_text", [False, True])
def test_the_same_in_any_stream(checkpoint: str, corpus: Path, as_text: bool) -> None:
    nlp = load(checkpoint, "sentencizer", as_text=as_text)
    alone = [nlp(doc) for doc in docs_of(nlp, corpus)]
    for batch_size in (1, 2, 100):
        assert told(list(nlp.pipe(docs_of(nlp, corpus), batch_size=batch_size))) == told(alone)
    pairs = [(doc, index) for index, doc in enumerate(docs_of(nlp, corpus))]
    found = list(nlp.pipe(pairs, as_tuples=True, batch_size=4))
    assert [index for _, index in found] == list(range(len(RECORDS)))
    assert told([doc for doc, _ in found]) == told(alone)


def test_the_same_in_other_processes(checkpoint: str, corpus: Path) -> None:
    nlp = load(checkpoint, "sentencizer", as_text=True)
    alone = [mmpipe.to_record(nlp(doc)) for doc in docs_of(nlp, corpus)]
    pairs = [(doc, index) for index, doc in enumerate(docs_of(nlp, corpus))]
    found = list(nlp.pipe(pairs, as_tuples=True, batch_size=2, n_process=2))
    assert [index for _, index in found] == list(range(len(RECORDS)))
    assert [mmpipe.to_record(doc) for doc, _ in found] == [
        {
            **record,
            "captions": [{**caption, "score": pytest.approx(caption["score"])} for caption in record["captions"]],
        }
        for record in alone
    ]
    assert found[0][0].text == nlp(docs_of(nlp, corpus)[0]).text != ""


LATER = """
import sys
import spacy
from spacy.tokens import DocBin
nlp = spacy.load(sys.argv[1])
for doc in nlp.pipe(DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab)):
    print(doc.text, [caption["text"] for caption in doc._.captions], sep="|")
"""


def test_a_docbin_is_opened_on_another_day_by_spacy_alone(checkpoint: str, corpus: Path, tmp_path: Path) -> None:
    """In a fresh process, in another folder, from a saved pipeline; neither knows mmpipe by name."""
    nlp = load(checkpoint, as_text=True)
    DocBin(docs=docs_of(nlp, corpus), store_user_data=True).to_disk(tmp_path / "docs.spacy")
    nlp.to_disk(tmp_path / "saved")
    environ = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", LATER, str(tmp_path / "saved"), str(tmp_path / "docs.spacy")]
    found = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=True)
    wanted = [(doc.text, [caption["text"] for caption in doc._.captions]) for doc in nlp.pipe(docs_of(nlp, corpus))]
    assert found.stdout.decode() == "".join(f"{text}|{texts}\n" for text, texts in wanted)


# Captions as text


def test_wordless_documents_go_on_in_words(checkpoint: str, corpus: Path) -> None:
    nlp = load(checkpoint, "sentencizer", as_text=True, model={"repetition_penalty": 2.0})
    docs = docs_of(nlp, corpus)
    for record, before, doc in zip(RECORDS, docs, nlp.pipe(docs), strict=True):
        captions = [caption["text"] for caption in doc._.captions]
        if record.get("text", "").strip():
            assert doc is before and doc.text == record["text"]
        else:
            assert doc.text == " ".join(f"{' '.join(text.split())}." for text in captions)
        assert mmpipe.to_record(doc) == {**record, "captions": doc._.captions}
        assert doc._.media == before._.media


def test_captions_are_sentences_to_those_who_split_them() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    captions = ["a dog\nruns ", "", "Two cats sit on a wall.", 'is it "late"', "the end!"]
    told = nlp(retold(nlp.make_doc(" "), captions, nlp.make_doc))
    assert [sent.text for sent in told.sents] == [
        "a dog runs.",
        "Two cats sit on a wall.",
        'is it "late".',
        "the end!",
    ]
    wordless = nlp.make_doc("")
    assert retold(wordless, ["", " "], nlp.make_doc) is wordless


def test_what_earlier_components_wrote_goes_on(checkpoint: str, corpus: Path) -> None:
    nlp = load(checkpoint, as_text=True)
    Doc.set_extension("mmpipe_test_note", default=None, force=True)
    before = mmpipe.make_doc(nlp, {"id": 1, "image": "0.png", "more": [1]}, root=corpus)
    before._.mmpipe_test_note, before.cats, before.user_data["mine"] = "kept", {"a": 0.5}, 3
    doc = nlp(before)
    assert doc.text and doc is not before
    assert (doc._.mmpipe_test_note, doc.cats, doc.user_data["mine"]) == ("kept", {"a": 0.5}, 3)
    assert mmpipe.to_record(doc)["more"] == [1]


def test_a_later_component_of_mmpipe_reads_the_captions(
    checkpoint: str, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from mmpipe.testing import tiny_checkpoint

    classifier = tiny_checkpoint(tmp_path_factory.mktemp("classifier"), "bert", labels=("bad", "good"))
    mood = {"factory": "mmpipe_sentiment", "model": {"name": str(classifier), "precision": "fp32", "device": "cpu"}}
    caption = {"factory": "mmpipe_caption", "as_text": True, "model": {"name": checkpoint, **MODEL}}
    config = {"nlp": {"lang": "en", "pipeline": ["caption", "mood"]}, "components": {"caption": caption, "mood": mood}}
    nlp = mmpipe.load(config)
    doc = nlp(mmpipe.make_doc(nlp, {"image": "0.png"}, root=corpus))
    alone = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["mood"]}, "components": {"mood": mood}})
    assert doc._.sentiment["label"] is not None
    assert doc.cats == pytest.approx(alone(doc.text).cats, abs=1e-6)


# At fault


@pytest.mark.parametrize(
    ("name", "said"),
    [("cut.png", "cannot be decoded"), ("empty.png", "the file is empty"), ("text.jpg", "no image of a known kind")],
)
def test_a_file_that_is_no_image_fails_its_record_alone(checkpoint: str, corpus: Path, name: str, said: str) -> None:
    nlp = load(checkpoint)
    module = shim_of(nlp.get_pipe("caption").model).module
    n_written, generate = 0, module.generate

    def count(**inputs: Any) -> Any:
        nonlocal n_written
        n_written += len(inputs["pixel_values"])
        return generate(**inputs)

    failed: list[tuple[str, str, Exception]] = []
    nlp.set_error_handler(lambda pipe, _, docs, error: failed.append((pipe, docs[0]._.record["id"], error)))
    records = [*RECORDS, {"id": "faulty", "images": ["6.png", name]}, {"id": "last", "image": "7.png"}]
    module.generate = count
    try:
        found = list(nlp.pipe(docs_of(nlp, corpus, records)))
    finally:
        del module.generate
    assert [doc._.record["id"] for doc in found] == [record["id"] for record in records if record["id"] != "faulty"]
    [(pipe, record, error)] = failed
    assert (pipe, record) == ("caption", "faulty")
    assert isinstance(error, mmpipe.RecordError) and said in str(error) and "record 'faulty'" in str(error)
    assert n_written == 8, "no image is captioned twice, because another is at fault or because it stands twice"
    with pytest.raises(mmpipe.RecordError, match=said):
        load(checkpoint)(docs_of(nlp, corpus, [records[-2]])[0])


def test_an_image_that_the_model_fails_at_fails_its_record_alone(checkpoint: str, corpus: Path) -> None:
    nlp = load(checkpoint)
    module = shim_of(nlp.get_pipe("caption").model).module
    generate, failed = module.generate, []
    processor = AutoImageProcessor.from_pretrained(checkpoint)
    pixels = processor(images=Image.open(corpus / "2.png"), return_tensors="pt")["pixel_values"][0]

    def run_out(**inputs: Any) -> Any:
        if any(bool((row == pixels).all()) for row in inputs["pixel_values"]):
            raise RuntimeError("can't allocate memory")
        return generate(**inputs)

    nlp.set_error_handler(lambda pipe, _, docs, error: failed.append((docs[0]._.record["id"], str(error))))
    module.generate = run_out
    try:
        found = list(nlp.pipe(docs_of(nlp, corpus)))
    finally:
        del module.generate
    assert [doc._.record["id"] for doc in found] == ["one", "both", "none", "blank", "again"]
    [(record, said)] = failed
    assert record == "album" and said.startswith("record 'album': image '2.png': ") and "allocate" in said


def test_a_run_over_pictures_ends_with_every_record_accounted_for(
    checkpoint: str, corpus: Path, tmp_path: Path
) -> None:
    from mmpipe.corpus.run import Run
    from mmpipe.corpus.source import find_inputs
    from mmpipe.plugins import get_plugins

    bad = [
        ("cut.png", "decoded"),
        ("nowhere.png", "No such file"),
        ("../x.png", "outside"),
        ("http://x/a", "allow_urls"),
    ]
    records = [*RECORDS, *({"id": name, "image": name} for name, _ in bad), {"id": "last", "image": "7.png"}]
    (corpus / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    plugins, out, errors = get_plugins(), tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
    info = mmpipe.RunInfo("test", ("records.jsonl",), str(out))
    run = Run(load(checkpoint, as_text=True), find_inputs([str(corpus / "records.jsonl")], plugins), plugins, info)
    with out.open("wb") as results, errors.open("wb") as failures:
        progress = run.write(results, failures, lambda _: None)
    assert (progress.n_read, progress.n_written, progress.n_failed) == (len(records), len(RECORDS) + 1, len(bad))
    written = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert written == [record["id"] for record in RECORDS] + ["last"]
    for line, (name, said) in zip(errors.read_text().splitlines(), bad, strict=True):
        failure = json.loads(line)
        assert failure["record"]["id"] == name and said in failure["message"] and failure["next_step"]


# Settings


def test_roots_and_limits_are_the_components(checkpoint: str, corpus: Path, tmp_path: Path) -> None:
    record, root = {"image": str(corpus / "0.png")}, tmp_path
    nlp = load(checkpoint)
    with pytest.raises(mmpipe.RecordError, match="outside the corpus folder"):
        mmpipe.make_doc(nlp, record, root=root)
    nlp = load(checkpoint, roots=[str(corpus)])
    doc = nlp(mmpipe.make_doc(nlp, record, root=root))
    assert doc._.captions[0]["image"] == record["image"] and doc._.captions[0]["text"]
    with pytest.raises(mmpipe.RecordError, match="max_bytes = 10"):
        mmpipe.make_doc(load(checkpoint, max_bytes=10), {"image": "0.png"}, root=corpus)
    small = load(checkpoint, max_pixels=10)
    with pytest.raises(mmpipe.RecordError, match="max_pixels = 10"):
        small(mmpipe.make_doc(small, {"image": "0.png"}, root=corpus))
    assert mmpipe.make_doc(load(checkpoint, allow_urls=True), {"image": "https://example.org/a.png"})._.media


def test_beams_lengths_and_prompts_come_from_the_config(tiny_captioner: Callable[..., str], corpus: Path) -> None:
    record = {"images": ["1.png", "2.png", "3.png"]}

    def caption(family: str, **model: Any) -> str:
        nlp = load(tiny_captioner(family), model=model)
        return "|".join(one["text"] for one in nlp(mmpipe.make_doc(nlp, record, root=corpus))._.captions)

    plain = caption("vit-gpt2")
    assert len({plain, caption("vit-gpt2", num_beams=4), caption("vit-gpt2", max_new_tokens=2)}) == 3
    assert caption("blip", prompt="the cat").startswith("the cat")
    asked = {caption("qwen2-vl", prompt=prompt) for prompt in ("what is this?", "where is the cat?")}
    assert len(asked) == 2 and not any("what" in text for text in asked)
    with pytest.raises(mmpipe.ModelError, match="take no prompt"):
        load(tiny_captioner("vit-gpt2"), model={"prompt": "the cat"})


@pytest.mark.parametrize("setting", [{"max_bytes": 0}, {"timeout_seconds": 0.0}, {"roots": "here"}, {"as_txt": True}])
def test_a_wrong_setting_is_named(checkpoint: str, setting: dict[str, Any]) -> None:
    with pytest.raises(mmpipe.ConfigError, match=rf"components\.caption\.{next(iter(setting))}"):
        load(checkpoint, **setting)


def test_every_setting_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {*inspect.signature(ImageToText).parameters, *DEFAULTS}
    assert not [name for name in names if f"\n| `{name}` |" not in readme]
    for name, value in DEFAULTS.items():
        if name != "model":
            assert f"\n| `{name}` | `{json.dumps(value)}` |" in readme, name
