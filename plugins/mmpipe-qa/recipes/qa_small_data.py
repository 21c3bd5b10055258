"""The questions that ``mmpipe/qa-small`` learns from: real ones, and ones that their text does not answer.

    python qa_small_data.py --data DATA --out questions.jsonl.gz
    python qa_small_data.py --data DATA --out more.jsonl.gz --draw second
    python qa_small_data.py --data DATA --out again.jsonl.gz --draw third
    python qa_small_data.py --data DATA --out last.jsonl.gz --draw fourth

DATA holds ``qa/``: SQuADShifts (Miller et al. 2020), QAMR (Michael et al. 2018), FairytaleQA (Xu et al. 2022) and
SubjQA (Bjerva et al. 2020) as gzipped JSON lines. No question of SQuAD is among them.

They lie in the order to learn them in. The first pass has short texts first, for what a question costs grows with its
text: single sentences (QAMR), and passages of which some sentences around the answer are kept; whole passages come at
its end. The second pass has the same passages, whole or nearly, and sentences that the first one left out. The third
has them once more, Wikipedia's twice (whole, and cut down), and the sentences that are left. Where annotators
disagreed, these three have the shortest answer; the fourth pass, again of the passages, has all of them.

Questions without an answer, besides SubjQA's own, are made in two ways: the question meets the passage of the same
collection that shares most words with it and lacks the answer, or its own passage without the answer's sentence (after
the adversarial questions of Rajpurkar et al. 2018, "Know What You Don't Know").
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PASSAGES = ("squadshifts_new_wiki", "squadshifts_amazon_reviews", "squadshifts_reddit")
SENTENCES = ("qamr_dev", "qamr_test")
STORIES = ("fairytaleqa_train",)
REVIEWS = (
    "subjqa_electronics_train",
    "subjqa_grocery_train",
    "subjqa_restaurants_train",
    "subjqa_tripadvisor_train",
)
WHOLE, MADE = 0.18, 0.1
"""The shares of passages that come whole, and that come once more without an answer."""
N_SENTENCES, N_STORIES, N_REVIEWS = 12_000, 1_000, 4_000
MOST_WORDS = 230
SECOND_MADE, SECOND_REVIEWS, SECOND_WORDS = 0.06, 1_500, 150
"""The second pass: its share of made ones, its reviews, and how many words of passages not from Wikipedia are kept."""
THIRD_STORIES, THIRD_SENTENCES, THIRD_WORDS = 2_000, 16_000, (50, 110)
"""The third pass: its stories, its sentences, and how many words the second copy of a passage from Wikipedia keeps."""
FOURTH_SENTENCES = 3_000
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


def draw_pass(data: Path, seed: int) -> list[Asked]:
    """Draw one pass: every passage's question once, samples of the others, and a share of made ones."""
    rng = random.Random(seed)
    short: list[Asked] = []
    whole: list[Asked] = []

    def put(asked: Asked) -> None:
        if rng.random() < WHOLE:
            whole.append(shortened(asked, MOST_WORDS, rng))
        else:
            short.append(shortened(asked, rng.randint(40, 90), rng))

    for name in PASSAGES:
        rows = read_asked(data / f"qa/{name}.jsonl.gz")
        alike = Lookalikes(sorted({row.text for row in rows}))
        for row in rows:
            put(row)
            if rng.random() < MADE and (made := made_without(row, alike, rng)):
                put(made)
    for names, most in ((STORIES, N_STORIES), (REVIEWS, N_REVIEWS)):
        rows = [row for name in names for row in read_asked(data / f"qa/{name}.jsonl.gz")]
        for row in rng.sample(rows, min(most, len(rows))):
            put(row)
    rows = [row for name in SENTENCES for row in read_asked(data / f"qa/{name}.jsonl.gz")]
    short += rng.sample(rows, N_SENTENCES)
    rng.shuffle(short)
    rng.shuffle(whole)
    return short + whole


def draw_second_pass(data: Path, seed: int) -> list[Asked]:
    """Draw what comes after :func:`draw_pass`: its passages' questions with more of their text, and other sentences."""
    first = {(asked.question, asked.text) for asked in draw_pass(data, seed)}
    rng = random.Random(seed + 1)
    drawn = draw_long(data, rng)
    drawn += rng.sample(
        [row for row in read_all(data, SENTENCES) if (row.question, row.text) not in first], N_SENTENCES
    )
    rng.shuffle(drawn)
    return drawn


def draw_third_pass(data: Path, seed: int) -> list[Asked]:
    """Draw what comes after :func:`draw_second_pass`, to be learned with dropout: the same once more, cut otherwise."""
    seen = {(asked.question, asked.text) for draw in (draw_pass, draw_second_pass) for asked in draw(data, seed)}
    rng = random.Random(seed + 2)
    drawn = draw_long(data, rng)
    drawn += [shortened(row, rng.randint(*THIRD_WORDS), rng) for row in read_all(data, PASSAGES[:1])]
    drawn += [shortened(row, MOST_WORDS, rng) for row in rng.sample(read_all(data, STORIES), THIRD_STORIES)]
    rows = read_all(data, SENTENCES)
    rng.shuffle(rows)
    drawn += sorted(rows, key=lambda row: (row.question, row.text) in seen)[:THIRD_SENTENCES]
    rng.shuffle(drawn)
    return drawn


def draw_fourth_pass(data: Path, seed: int) -> list[Asked]:
    """Draw what comes after :func:`draw_third_pass`: the passages with all their answers, and a few sentences."""
    rng = random.Random(seed + 3)
    drawn = draw_long(data, rng) + rng.sample(read_all(data, SENTENCES), FOURTH_SENTENCES)
    rng.shuffle(drawn)
    return drawn


def draw_long(data: Path, rng: random.Random) -> list[Asked]:
    """Every passage's question with the passage whole or nearly, a share of made ones, and a sample of reviews."""
    drawn: list[Asked] = []
    for name in PASSAGES:
        rows = read_asked(data / f"qa/{name}.jsonl.gz")
        most = MOST_WORDS if name == PASSAGES[0] else SECOND_WORDS
        alike = Lookalikes(sorted({row.text for row in rows}))
        for row in rows:
            drawn.append(shortened(row, most, rng))
            if rng.random() < SECOND_MADE and (made := made_without(row, alike, rng)):
                drawn.append(shortened(made, most, rng))
    return drawn + [shortened(row, SECOND_WORDS, rng) for row in rng.sample(read_all(data, REVIEWS), SECOND_REVIEWS)]


def read_all(data: Path, names: tuple[str, ...]) -> list[Asked]:
    """The questions of several files, one after another."""
    return [row for name in names for row in read_asked(data / f"qa/{name}.jsonl.gz")]


DRAWS = {"first": draw_pass, "second": draw_second_pass, "third": draw_third_pass, "fourth": draw_fourth_pass}


def records(drawn: list[Asked], *, has_others: bool = False) -> Iterator[dict]:
    """What `mmpipe train` reads."""
    for number, one in enumerate(drawn):
        spans = [] if one.span is None else [one.span, *(one.others if has_others else ())]
        answers = [{"text": one.text[slice(*span)], "start": span[0]} for span in spans]
        yield {"id": str(number), "question": one.question, "text": one.text, "answers": answers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qa/")
    parser.add_argument("--out", type=Path, required=True, help="file of gzipped JSON lines")
    parser.add_argument("--draw", choices=DRAWS, default="first", help="which part of the recipe")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    drawn = DRAWS[args.draw](args.data, args.seed)
    with gzip.open(args.out, "wt", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps(record, ensure_ascii=False) + "\n" for record in records(drawn, has_others=args.draw == "fourth")
        )
    print(f"{len(drawn)} questions, {sum(one.span is not None for one in drawn)} with an answer")


if __name__ == "__main__":
    main()
