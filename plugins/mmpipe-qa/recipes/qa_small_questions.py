"""Questions about texts as qa_small_data.py draws them: read, cut down, or made so that their text does not answer."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

_WORD, _SENTENCE = re.compile(r"\w+"), re.compile(r"[^.!?\n]+[.!?]*\s*")


@dataclass(frozen=True)
class Asked:
    """One question about one text, with its answer's first and last-plus-one character; None where there is none.

    others: further answers that are as right.
    """

    question: str
    text: str
    span: tuple[int, int] | None
    others: tuple[tuple[int, int], ...] = ()


def read_asked(file: Path) -> list[Asked]:
    """The questions of a file of gzipped JSON lines; those whose answers do not stand where they say are left out."""
    found = []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            spans = [span for answer in row["answers"] if (span := place(row["context"], answer))]
            if spans or row["impossible"]:
                best = agreed(spans)
                others = tuple(sorted({span for span in spans if span != best}))
                found.append(Asked(" ".join(row["question"].split())[:200], row["context"], best, others))
    return found


def place(context: str, answer: dict) -> tuple[int, int] | None:
    """Where the answer, without white space around it, stands in its context; None where it does not."""
    text = answer["text"].strip()
    start = answer["start"] + len(answer["text"]) - len(answer["text"].lstrip())
    return (start, start + len(text)) if text and context[start : start + len(text)] == text else None


def agreed(spans: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The answer that most annotators gave, of equally frequent ones the shortest; None for none."""
    counts = Counter(spans)
    return min(counts, key=lambda span: (-counts[span], span[1] - span[0]), default=None)


def words(text: str) -> set[str]:
    """The distinct words of a text, in lower case."""
    return {word.lower() for word in _WORD.findall(text)}


class Lookalikes:
    """Passages of one collection, found by the words they share with a question."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.having: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(texts):
            for word in sorted(words(text)):
                self.having[word].append(index)
        self.rare = {word: len(texts) / len(where) for word, where in self.having.items() if len(where) < 400}

    def find(self, asked: Asked) -> Asked | None:
        """The question with the passage that has most (rare) words of it and not its answer; None where none has."""
        votes: Counter[int] = Counter()
        for word in sorted(words(asked.question)):
            for index in self.having[word] if word in self.rare else ():
                votes[index] += self.rare[word] ** 0.5  # type: ignore[assignment]
        answer = asked.text[slice(*asked.span)].lower() if asked.span else ""
        for index, _ in votes.most_common(8):
            text = self.texts[index]
            if text != asked.text and answer not in text.lower():
                return Asked(asked.question, text, None)
        return None


def without_answer(asked: Asked) -> Asked | None:
    """The question with its text less the answer's sentence; None where the answer stays or little is left."""
    start, end = asked.span or (0, 0)
    for match in _SENTENCE.finditer(asked.text):
        if match.start() <= start < match.end():
            rest = asked.text[: match.start()] + asked.text[match.end() :]
            is_gone = asked.text[start:end].lower() not in rest.lower()
            return Asked(asked.question, rest, None) if len(rest) > 80 and is_gone else None
    return None


def shortened(asked: Asked, most_words: int, rng: random.Random) -> Asked:
    """Keep sentences around the answer's (around any one where there is none), at most so many words if it is short."""
    sentences = [match.span() for match in _SENTENCE.finditer(asked.text)]
    if not sentences:
        return asked
    start, end = asked.span or rng.choice(sentences)
    first = max((i for i, (begin, _) in enumerate(sentences) if begin <= start), default=0)
    last = min((i for i, (_, stop) in enumerate(sentences) if stop >= end), default=len(sentences) - 1)
    last = max(first, last)
    while True:
        grown = [(first - 1, last)] * (first > 0) + [(first, last + 1)] * (last + 1 < len(sentences))
        fitting = [(a, b) for a, b in grown if len(asked.text[sentences[a][0] : sentences[b][1]].split()) <= most_words]
        if not fitting:
            break
        first, last = rng.choice(fitting)
    begin, stop = sentences[first][0], max(sentences[last][1], end)
    kept = tuple((a - begin, b - begin) for a, b in asked.others if begin <= a and b <= stop)
    span = None if asked.span is None else (start - begin, end - begin)
    return replace(asked, text=asked.text[begin:stop], span=span, others=kept)


def made_without(asked: Asked, alike: Lookalikes, rng: random.Random) -> Asked | None:
    """The question with a text that does not answer it."""
    return alike.find(asked) if rng.random() < 0.6 else without_answer(asked)


def read_all(data: Path, names: tuple[str, ...]) -> list[Asked]:
    """The questions of several files, one after another."""
    return [row for name in names for row in read_asked(data / f"qa/{name}.jsonl.gz")]
