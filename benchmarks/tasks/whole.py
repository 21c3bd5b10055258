"""The four-component pipeline over corpora/, beside a `pipeline()` for each of its models."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import spacy
import transformers
from ours import BATCH_SIZES, device, saved
from race import Way, compare, race, share
from texts import CORPORA

import mmpipe

FILES = ("gallery/gallery", "questions/questions", "articles/articles", "reviews/reviews")


def records() -> list[dict[str, Any]]:
    """Those of corpora/, each with the folder that its image is in."""
    return [
        {**json.loads(line), "root": str(CORPORA / name.partition("/")[0])}
        for name in FILES
        for line in (CORPORA / f"{name}.jsonl").open(encoding="utf-8")
    ]


def repeated(known: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """n records, those known over and over, each text with a number of its own, so that none is the same twice."""
    found = []
    for number in range(n):
        record = dict(known[number % len(known)])
        if record.get("text"):
            record["text"] += f" Number {number}."
        found.append(record)
    return found


def whole(folder: Path, rounds: int, n: int) -> None:
    """Captions, summaries, answers and sentiment of all records, beside `pipeline()` at the batch size that is best
    over the first of them. It has no extractive summaries: its side encodes the same sentences, the model's part."""
    known = records()
    rows = repeated(known, n)
    readers = ("sentiment", "summary", "qa")
    kinds = {"sentiment": "text-classification", "qa": "question-answering", "caption": "image-to-text"}
    pipes = {
        name: transformers.pipeline(kind, model=saved(f"mmpipe_{name}", folder / name), device=device())
        for name, kind in kinds.items()
    }
    encoder = transformers.pipeline(
        "feature-extraction", model=saved("mmpipe_summariser", folder / "summary"), device=device()
    )
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")

    def ours(nlp: Any, rows: list[dict[str, Any]] = rows) -> list[str]:
        docs = (mmpipe.make_doc(nlp, row, root=row["root"]) for row in rows)
        return [doc._.sentiment["label"] for doc in nlp.pipe(docs, batch_size=256)]

    def theirs(size: int, rows: list[dict[str, Any]] = rows) -> list[str]:
        paths = [str(Path(row["root"], row["image"])) for row in rows if row.get("image")]
        captions = iter(one[0]["generated_text"] for one in pipes["caption"](paths, batch_size=size))
        texts = [row.get("text") or next(captions) for row in rows]
        asked = [
            {"question": question, "context": text}
            for row, text in zip(rows, texts, strict=True)
            for question in row.get("questions") or ([row["question"]] if row.get("question") else [])
        ]
        if asked:
            pipes["qa"](asked, batch_size=size)
        sentences = (str(sent) for doc in splitter.pipe(texts) for sent in doc.sents)
        for _ in encoder(sentences, batch_size=size, truncation=True, return_tensors=True):
            pass
        return [one["label"] for one in pipes["sentiment"](texts, batch_size=size, truncation=True)]

    first = rows[: len(known)]
    sizes = {size: Way(str(size), partial(theirs, size, first)) for size in BATCH_SIZES}
    race(list(sizes.values()), 1)
    best = min(sizes, key=lambda size: sizes[size].seconds)
    backend = {f"components.{one}.model.backend": "openvino" for one in readers}
    settings: dict[str, dict[str, str]] = {"auto": {}}
    if device() == "cpu":
        settings["OpenVINO"] = backend
        settings["OpenVINO, int8"] = backend | {f"components.{one}.model.precision": "int8" for one in readers}
    config = CORPORA / "pipeline.cfg"
    pipelines = {name: mmpipe.load(config, overrides, device=device()) for name, overrides in settings.items()}
    for nlp in pipelines.values():
        ours(nlp, first)
    others = [Way(f"four pipeline(), batch size {best}, best of {BATCH_SIZES}", lambda: theirs(best))]
    compare(
        f"whole: {n} records of corpora/, four components",
        others,
        [Way(f"mmpipe, {name}", partial(ours, nlp)) for name, nlp in pipelines.items()],
        n,
        rounds,
        lambda way: f"{share(way.outputs, others[0].outputs):.1%} of labels",
        is_warm=True,
    )
