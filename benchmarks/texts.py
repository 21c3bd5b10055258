"""Texts and questions of the lengths that corpora have, drawn from corpora/."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

CORPORA = Path(__file__).resolve().parent.parent / "corpora"
FILES = ("reviews/reviews.jsonl", "articles/articles.jsonl", "questions/questions.jsonl")


def sentences() -> list[str]:
    """The sentences of the corpora."""
    found = []
    for name in FILES:
        for line in (CORPORA / name).open(encoding="utf-8"):
            text = json.loads(line).get("text") or ""
            found += [part.strip() for part in re.findall(r"[^.!?]+[.!?]+", text) if part.strip()]
    return found


def mixed_texts(n: int, *, median_words: float = 80.0, spread: float = 0.8, seed: int = 0) -> list[str]:
    """n distinct texts of whole sentences whose lengths are log-normal: most are short, some are very long."""
    draw, known = random.Random(seed), sentences()
    texts = []
    for number in range(n):
        n_words = min(max(draw.lognormvariate(0, spread) * median_words, 4), 380)
        parts = [f"Number {number}."]
        while sum(len(part.split()) for part in parts) < n_words:
            parts.append(draw.choice(known))
        texts.append(" ".join(parts))
    return texts


def long_questions(n_texts: int, *, n_words: int = 1500, seed: int = 0) -> list[tuple[str, list[str]]]:
    """n texts, each a text of corpora/questions among sentences of others, with the questions asked of it."""
    draw, known = random.Random(seed), sentences()
    records = [json.loads(line) for line in (CORPORA / "questions/questions.jsonl").open(encoding="utf-8")]
    records = [
        record for record in records if record.get("text") and (record.get("questions") or record.get("question"))
    ]
    found = []
    for record in records[:n_texts]:
        around = [draw.choice(known) for _ in range(n_words // 15)]
        around.insert(draw.randrange(len(around)), record["text"])
        found.append((" ".join(around), record.get("questions") or [record["question"]]))
    return found
