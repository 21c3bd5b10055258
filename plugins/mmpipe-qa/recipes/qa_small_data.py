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
from collections.abc import Iterator
from pathlib import Path

from qa_small_questions import Asked, Lookalikes, made_without, read_all, read_asked, shortened

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
        rows = read_all(data, names)
        for row in rng.sample(rows, min(most, len(rows))):
            put(row)
    short += rng.sample(read_all(data, SENTENCES), N_SENTENCES)
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
