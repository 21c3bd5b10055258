"""Answers to questions about long texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from ours import BATCH_SIZES, device, loaded, saved, settings
from race import Way, compare, share
from texts import long_questions

import mmpipe


def answer(folder: Path, rounds: int, n: int) -> None:
    """The best answer to each of several questions about long texts, of a text's windows the one that `pipeline()`
    takes: what mmpipe takes by default is another in one of ten, see mmpipe-qa's README."""
    model, asked = saved("mmpipe_qa", folder), long_questions(n)
    pipe = transformers.pipeline("question-answering", model=model, device=device())
    pairs = [{"question": question, "context": text} for text, questions in asked for question in questions]

    def theirs(size: int) -> list[str]:
        return [one["answer"] for one in pipe(pairs, batch_size=size, max_seq_len=384, doc_stride=128)]

    others = [Way(f"pipeline(), batch size {size}", lambda size=size: theirs(size)) for size in BATCH_SIZES]
    ours = []
    for name, setting in settings().items():
        nlp = loaded("mmpipe_qa", model, model=setting, no_answer_threshold=None, compare="window")

        def run(nlp: Any = nlp) -> list[str]:
            docs = nlp.pipe(mmpipe.make_docs(nlp, [{"text": t, "questions": q} for t, q in asked]), batch_size=256)
            return [one["text"] for doc in docs for one in doc._.answers]

        ours.append(Way(f"mmpipe, {name}", run))
    compare(
        f"answer: {len(pairs)} questions about {len(asked)} texts of 1,500 words",
        others,
        ours,
        len(asked),
        rounds,
        lambda way: (
            f"{share(way.outputs, others[0].outputs):.1%} of answers"
            + (f", {share(way.outputs, ours[0].outputs):.1%} as in fp32" if way in ours else "")
        ),
    )
