"""What ``mmpipe/qa-small`` is asked to tell whether there is an answer: questions none of which it has seen.

    python qa_small_gold.py --data DATA --out gold

writes gold/squad.jsonl, questions of SQuAD's dev set of which every second meets a text without its answer (made as
in qa_small_data.py, of other passages), and gold/subjqa.jsonl, those of SubjQA's dev sets. Then

    mmpipe evaluate qa gold/squad.jsonl --components.qa.top_k=2
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from qa_small_data import records
from qa_small_questions import Asked, Lookalikes, made_without, read_all, read_asked

REVIEWS = ("subjqa_electronics_dev", "subjqa_grocery_dev", "subjqa_restaurants_dev", "subjqa_tripadvisor_dev")


def squad(data: Path, n: int, rng: random.Random) -> list[Asked]:
    """n questions with their answers, and n others without."""
    rows = read_asked(data / "qa/squad_dev_a.jsonl.gz")
    alike = Lookalikes(sorted({row.text for row in rows}))
    drawn = rng.sample(rows, len(rows))
    found = drawn[:n]
    for row in drawn[n:]:
        if len(found) == 2 * n:
            break
        made = made_without(row, alike, rng)
        found += [made] if made else []
    return found


def write(file: Path, asked: list[Asked]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records(asked))
    print(f"{file}: {len(asked)} questions, {sum(one.span is not None for one in asked)} with an answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qa/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=600, help="of questions with and without an answer each")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "squad.jsonl", squad(args.data, args.number, rng))
    reviews = read_all(args.data, REVIEWS)
    write(args.out / "subjqa.jsonl", rng.sample(reviews, min(args.number, len(reviews))))


if __name__ == "__main__":
    main()
