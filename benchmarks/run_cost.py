"""What a run into a folder costs beside a bare loop over the same pipeline, and whether its memory grows.

    python benchmarks/run_cost.py --records 100000 --rounds 5
    python benchmarks/run_cost.py --memory 10000 1000000

The first prints both rates of each round, and the median of their ratios: the loop is `json.loads`, `nlp.pipe`,
`json.dumps`, the run is `mmpipe run` with all it does (checks, shards, digests, manifest, account). The pipeline has
one component that does no work. The second prints the peak resident memory of a run over so many records each, in
processes of their own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from spacy.language import Language

TEXTS = ("The soup was cold.", "A lovely film, and short.", "Never again!", "It arrived on time, and it works.")


@Language.component("idle")
def idle(doc):
    return doc


def write_records(file: Path, n: int) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for i in range(n):
            lines.write(json.dumps({"id": f"r{i}", "text": TEXTS[i % len(TEXTS)], "stars": i % 5}) + "\n")


def bare_loop(nlp: Language, source: Path, target: Path) -> None:
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        pairs = ((record["text"], record) for record in map(json.loads, lines))
        for _doc, record in nlp.pipe(pairs, as_tuples=True, batch_size=256):
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def run(config: Path, source: Path, folder: Path) -> None:
    from mmpipe.cli.main import main

    sys.argv = ["mmpipe", "run", str(config), str(source), "-o", str(folder), "--restart"]
    try:
        main()
    except SystemExit as error:
        assert not error.code, error.code


def cost(n: int, rounds: int) -> None:
    import mmpipe

    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        write_records(here / "in.jsonl", n)
        (here / "p.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["idle"]}}))
        nlp = mmpipe.load(here / "p.json")
        ratios = []
        for number in range(rounds + 1):
            began = time.perf_counter()
            bare_loop(nlp, here / "in.jsonl", here / "bare.jsonl")
            middle = time.perf_counter()
            run(here / "p.json", here / "in.jsonl", here / "out")
            seconds = middle - began, time.perf_counter() - middle
            if number:  # The first round warms up.
                ratios.append(seconds[0] / seconds[1])
                rates = [f"{n / one:,.0f}" for one in seconds]
                print(f"bare loop {rates[0]} records a second, run {rates[1]}: {ratios[-1]:.2f}")
        print(f"the run has {statistics.median(ratios):.0%} of the bare loop's rate (median of {rounds})")


def memory(counts: list[int]) -> None:
    for n in counts:
        code = f"import run_cost; run_cost.peak({n})"
        done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True)
        print(done.stdout.strip() or done.stderr[-2000:])


def peak(n: int) -> None:
    """Run over n records here, and print the most memory that this took."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        write_records(here / "in.jsonl", n)
        (here / "p.json").write_text(json.dumps({"nlp": {"lang": "en", "pipeline": ["idle"]}}))
        run(here / "p.json", here / "in.jsonl", here / "out")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n:,} records: peak {most:,.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="+", metavar="N")
    given = parser.parse_args()
    memory(given.memory) if given.memory else cost(given.records, given.rounds)
