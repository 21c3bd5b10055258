"""How far each precision and backend of a shipped model is from fp32 in torch, over the texts and pictures of corpora/.

    python benchmarks/exactness.py [sentiment] [qa] [summary] [caption]

Agreement is the share of equal labels, answers, summaries and captions; the difference is the largest of any score (0
to 1; of a summary, of its sentences' scores). fp32 itself is beside Hugging Face's own classes on the same weights, one
text at a time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from chosen import parsed, parser_of
from ours import loaded, saved, settings
from texts import CORPORA

import mmpipe

Said = list[tuple[Any, float]]
"""What is said of each input, and its score."""


def records(name: str) -> list[dict[str, Any]]:
    """The records of a corpus, of each question one."""
    found = [json.loads(line) for line in (CORPORA / name).open(encoding="utf-8")]
    return [
        {"text": one["text"], **({"question": question} if question else {})}
        for one in found
        for question in (one.get("questions") or [one.get("question")])
    ]


def sentiment(model: dict[str, Any]) -> Said:
    nlp = loaded("mmpipe_sentiment", model=model)
    docs = nlp.pipe([one["text"] for one in records("reviews/reviews.jsonl")])
    return [(doc._.sentiment["label"], doc._.sentiment["scores"]["positive"]) for doc in docs]


def sentiment_by_hand(folder: str) -> Said:
    module = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    positive, said = module.config.label2id["positive"], []
    for one in records("reviews/reviews.jsonl"):
        with torch.inference_mode():
            p = module(**tokenizer(one["text"], return_tensors="pt")).logits.softmax(-1)[0]
        said.append((module.config.id2label[int(p.argmax())], float(p[positive])))
    return said


def qa(model: dict[str, Any]) -> Said:
    nlp = loaded("mmpipe_qa", model=model, no_answer_threshold=None)
    docs = nlp.pipe(mmpipe.make_docs(nlp, records("questions/questions.jsonl")))
    return [(doc._.answers[0]["text"], doc._.answers[0]["score"]) for doc in docs]


def qa_by_hand(folder: str) -> Said:
    pipe = transformers.pipeline("question-answering", model=folder, device="cpu")
    asked = [{"question": one["question"], "context": one["text"]} for one in records("questions/questions.jsonl")]
    return [(one["answer"], one["score"]) for one in map(pipe, asked)]


def summary(model: dict[str, Any]) -> Said:
    nlp = loaded("mmpipe_summariser", model=model)
    docs = nlp.pipe([one["text"] for one in records("articles/articles.jsonl")])
    return [(doc._.summary["text"], max(one["score"] for one in doc._.summary["sentences"])) for doc in docs]


def caption(model: dict[str, Any]) -> Said:
    nlp = loaded("mmpipe_caption", model=model)
    pictures = [json.loads(line) for line in (CORPORA / "gallery/gallery.jsonl").open(encoding="utf-8")]
    docs = nlp.pipe(mmpipe.make_docs(nlp, pictures, root=CORPORA / "gallery"))
    return [(one["text"], one["score"]) for doc in docs for one in doc._.captions]


TASKS: dict[str, tuple[Callable[[dict], Said], Callable[[str], Said] | None, str]] = {
    "sentiment": (sentiment, sentiment_by_hand, "mmpipe_sentiment"),
    "qa": (qa, qa_by_hand, "mmpipe_qa"),
    "summary": (summary, None, "mmpipe_summariser"),
    "caption": (caption, None, "mmpipe_caption"),
}


def rows(task: str) -> Iterator[str]:
    ours, by_hand, factory = TASKS[task]
    wanted = ours({"precision": "fp32"})
    if by_hand is not None:
        with tempfile.TemporaryDirectory() as name:
            yield row(task, "Hugging Face's classes, fp32", by_hand(saved(factory, Path(name))), wanted)
    for setting, model in settings().items():
        if setting != "fp32" and not (task == "caption" and "backend" in model):
            yield row(task, setting, ours(model), wanted)


def row(task: str, setting: str, said: Said, wanted: Said) -> str:
    agreement = sum(a[0] == b[0] for a, b in zip(said, wanted, strict=True)) / len(wanted)
    largest = max(abs(a[1] - b[1]) for a, b in zip(said, wanted, strict=True))
    return f"| {task} | {setting} | {len(wanted)} | {agreement:.1%} | {largest:.1e} |"


def main() -> None:
    names = parsed(parser_of(__doc__, "TASK", TASKS)).names
    transformers.logging.set_verbosity_error()
    print("| model | beside fp32 in torch | inputs | agreement | largest difference |\n|---|---|---|---|---|")
    for task in names:
        for line in rows(task):
            print(line, flush=True)


if __name__ == "__main__":
    main()
