"""Precision and recall of each kind: on sentences made from a seed, and on records with gold such as corpora/letters.

    python plugins/mmpipe-privacy/benchmarks/quality.py
    python plugins/mmpipe-privacy/benchmarks/quality.py --gold corpora/letters/letters.jsonl --show

A piece counts as found where kind, start and end are those of the gold, and as covered where all its characters were
found, whatever as. Names are not measured: they are as good as the recogniser that finds them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from mmpipe_privacy.finder import PATTERN_KINDS, Finder
from mmpipe_privacy.patterns import Patterns
from synthetic import records

REGIONS = ("GB", "US", "DE", "FR", "CN", "CH")


def measure(rows: list[dict[str, Any]], finder: Finder, show: bool = False) -> dict[str, Counter[str]]:
    """kind -> counts of gold, found, right, covered; the places of what is wrong are printed with `show`."""
    counts = {kind: Counter[str]() for kind in PATTERN_KINDS}
    for row in rows:
        gold = {(one["kind"], one["start"], one["end"]) for one in row["gold"] if one["kind"] in counts}
        found = {(one.kind, one.start, one.end) for one in finder.find(row["text"])}
        masked = {place for _, start, end in found for place in range(start, end)}
        for one in gold:
            counts[one[0]].update(gold=1, right=one in found, covered=masked.issuperset(range(one[1], one[2])))
        for one in found:
            counts[one[0]]["found"] += 1
        for one in sorted(gold ^ found, key=lambda one: one[1]) if show else ():
            sign = "missed" if one in gold else "wrong"
            print(f"{row['id']}: {sign} {one[0]} {row['text'][one[1] : one[2]]!r} in {row['text']!r}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, help="JSON lines with text and gold, instead of the made ones")
    parser.add_argument("-n", type=int, default=3000, help="how many records are made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    args = parser.parse_args()
    if args.gold:
        rows = [json.loads(line) for line in args.gold.read_text("utf-8").splitlines()]
    else:
        rows = records(args.n, args.seed)
    finder = Finder(PATTERN_KINDS, phone_regions=REGIONS, patterns=Patterns({}, max_seconds=1.0, where="patterns"))
    finder.find("+44 20 7946 0000")  # The numbering plans are read when they are first needed.
    began = time.process_time()
    counts = measure(rows, finder, args.show)
    seconds = time.process_time() - began
    print(f"{'kind':8}{'gold':>8}{'found':>8}{'precision':>11}{'recall':>9}{'covered':>9}")
    for kind, n in counts.items():
        precision, recall, covered = (
            f"{a / b:.3f}" if b else "-"
            for a, b in ((n["right"], n["found"]), (n["right"], n["gold"]), (n["covered"], n["gold"]))
        )
        print(f"{kind:8}{n['gold']:8,}{n['found']:8,}{precision:>11}{recall:>9}{covered:>9}")
    n_chars = sum(len(row["text"]) for row in rows)
    print(f"{len(rows):,} records, {n_chars:,} characters, {n_chars / seconds:,.0f} a second of processor time")


if __name__ == "__main__":
    main()
