"""mmpipe beside what its users have today: the same weights, the same texts, the same run.

    python benchmarks/throughput.py [classify] [answer] [summarise] --rounds 3

Prints a table for each task: documents a second, the ratio to the fastest of the others with its least and most over
all rounds, and how far the outputs agree. The others are transformers' `pipeline()` at batch sizes 1, 8 and 32, a
bare loop, and sentence-transformers' `encode` at its default. All read the same checkpoint, saved as a plain Hugging
Face folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import spacy
import torch
import transformers
from race import Way, compare, share
from texts import long_questions, mixed_texts

import mmpipe

BATCH_SIZES = (1, 8, 32)


def loaded(factory: str, folder: str | None = None, **options: Any) -> Any:
    """A pipeline of one component of ours, on the shipped model or that of a folder."""
    model = {"device": "cpu", **({"name": folder} if folder else {}), **options.pop("model", {})}
    own = {"factory": factory, "model": model, **options}
    names = ["sentencizer", "ours"] if factory == "mmpipe_summariser" else ["ours"]
    parts = {"sentencizer": {"factory": "sentencizer"}} if len(names) > 1 else {}
    return mmpipe.load({"nlp": {"lang": "en", "pipeline": names}, "components": {**parts, "ours": own}})


def saved(factory: str, folder: Path) -> str:
    """The shipped model of a component as a plain Hugging Face folder."""
    nlp = loaded(factory)
    nlp.get_pipe("ours").to_disk(folder)
    return str(folder / "model")


def precisions() -> tuple[str, ...]:
    """Those to time: fp32, and what `auto` chooses where that is another."""
    from mmpipe.runtime.device import place

    chosen = place("cpu").precision
    return ("fp32",) if chosen == "fp32" else ("fp32", chosen)


def classify(folder: Path, rounds: int, n: int) -> None:
    """Labels of texts of mixed lengths, no longer than the model."""
    model, texts = saved("mmpipe_sentiment", folder), mixed_texts(n)
    pipe = transformers.pipeline("text-classification", model=model, device="cpu")
    others = [
        Way(
            f"pipeline(), batch size {size}",
            lambda size=size: [one["label"] for one in pipe(texts, batch_size=size, truncation=True)],
        )
        for size in BATCH_SIZES
    ]
    others.append(Way("a bare loop, one text at a time", lambda: bare_labels(pipe.model, pipe.tokenizer, texts)))
    ours = []
    for precision in precisions():
        nlp = loaded("mmpipe_sentiment", model, model={"precision": precision, "long_text": "truncate"})
        ours.append(
            Way(
                f"mmpipe, {precision}",
                lambda nlp=nlp: [doc._.sentiment["label"] for doc in nlp.pipe(texts, batch_size=256)],
            )
        )
    compare(
        f"classify: {n} texts, 1 label each",
        others,
        ours,
        n,
        rounds,
        lambda way: f"{share(way.outputs, others[0].outputs):.1%} of labels",
    )


def bare_labels(model: Any, tokenizer: Any, texts: list[str]) -> list[str]:
    """What anybody would write by hand."""
    found = []
    with torch.inference_mode():
        for text in texts:
            logits = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits
            found.append(model.config.id2label[int(logits.argmax())])
    return found


def answer(folder: Path, rounds: int, n: int) -> None:
    """The best answer to each of several questions about long texts."""
    model, asked = saved("mmpipe_qa", folder), long_questions(n)
    pipe = transformers.pipeline("question-answering", model=model, device="cpu")
    pairs = [{"question": question, "context": text} for text, questions in asked for question in questions]

    def theirs(size: int) -> list[str]:
        return [one["answer"] for one in pipe(pairs, batch_size=size, max_seq_len=384, doc_stride=128)]

    others = [Way(f"pipeline(), batch size {size}", lambda size=size: theirs(size)) for size in BATCH_SIZES]
    ours = []
    for precision in precisions():
        nlp = loaded("mmpipe_qa", model, model={"precision": precision}, no_answer_threshold=None)

        def run(nlp: Any = nlp) -> list[str]:
            docs = nlp.pipe(mmpipe.make_docs(nlp, [{"text": t, "questions": q} for t, q in asked]), batch_size=256)
            return [one["text"] for doc in docs for one in doc._.answers]

        ours.append(Way(f"mmpipe, {precision}", run))
    compare(
        f"answer: {len(pairs)} questions about {len(asked)} texts of 1,500 words",
        others,
        ours,
        len(asked),
        rounds,
        lambda way: f"{share(way.outputs, others[0].outputs):.1%} of answers",
    )


def summarise(folder: Path, rounds: int, n: int) -> None:
    """Extractive summaries, beside the encoding alone of the same sentences."""
    from sentence_transformers import SentenceTransformer, models

    model, texts = saved("mmpipe_summariser", folder), mixed_texts(n)
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")
    sentences = [str(sent) for doc in splitter.pipe(texts) for sent in doc.sents]
    words = models.Transformer(model)
    encoder = SentenceTransformer(modules=[words, models.Pooling(words.get_word_embedding_dimension())], device="cpu")
    others = [
        Way("sentence-transformers' encode, batch size 32", lambda: encoder.encode(sentences, show_progress_bar=False))
    ]
    ours = []
    for precision in precisions():
        own = loaded("mmpipe_summariser", model, model={"precision": precision})

        def run(own: Any = own) -> list[str]:
            return [doc._.summary["text"] for doc in own.pipe(texts, batch_size=256)]

        ours.append(Way(f"mmpipe, {precision}", run))
    compare(
        f"summarise: {n} texts, {len(sentences)} sentences",
        others,
        ours,
        n,
        rounds,
        lambda way: (
            f"{share(way.outputs, ours[0].outputs):.1%} of summaries as in fp32" if way in ours else "vectors only"
        ),
    )


TASKS = {"classify": (classify, 200), "answer": (answer, 12), "summarise": (summarise, 200)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, help="so many; each task has a number of its own")
    given = parser.parse_args()
    if unknown := set(given.tasks) - set(TASKS):
        parser.error(f"no task {', '.join(sorted(unknown))}")
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, ",
        end="",
    )
    print(f"transformers {transformers.__version__}, {given.rounds} rounds")
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        for task in given.tasks or TASKS:
            function, n = TASKS[task]
            function(Path(name) / task, given.rounds, given.documents or n)


if __name__ == "__main__":
    main()
