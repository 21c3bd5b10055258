"""How long starting takes, in fresh processes that take turns.

    python benchmarks/startup.py --rounds 10

The command line beside the imports that it cannot do without, and a shipped pipeline up to its first result beside
transformers alone up to its own, on the same weights.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ours import saved
from race import Way, race, spread

TEXT = "The soup was cold."
THEIRS = """
import sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
module = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
with torch.inference_mode():
    logits = module(**tokenizer(sys.argv[2], return_tensors="pt")).logits
print(module.config.id2label[int(logits.argmax())])
"""
OURS = """
import sys, mmpipe
print(mmpipe.load("sentiment")(sys.argv[2])._.sentiment["label"])
"""


def python(*arguments: str) -> str:
    return command(sys.executable, *arguments)


def command(*arguments: str) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def beside(title: str, base: Way, others: list[Way], rounds: int) -> None:
    """Print how many times the base's seconds each takes, with the least and most of all rounds."""
    race([base, *others], rounds)
    print(f"\n## {title}\n\n| what | seconds | times the first |\n|---|---|---|")
    for way in [base, *others]:
        print(f"| {way.name} | {statistics.median(way.seconds):.2f} | {spread(way, base)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    os.environ["HF_HUB_OFFLINE"] = "1"
    script = str(Path(sys.executable).with_name("mmpipe"))
    imports = Way("python -c 'import typer, pluggy, rich'", lambda: python("-c", "import typer, pluggy, rich"))
    commands = [
        Way(f"mmpipe {name}", lambda name=name: command(script, *name.split())) for name in ("--help", "plugins list")
    ]
    beside("the command line", imports, commands, rounds)
    with tempfile.TemporaryDirectory() as name:
        model = saved("mmpipe_sentiment", Path(name))
        theirs = Way("transformers alone, to the first label", lambda: python("-c", THEIRS, model, TEXT))
        ours = Way('mmpipe.load("sentiment"), to the first label', lambda: python("-c", OURS, model, TEXT))
        beside("a shipped pipeline", theirs, [ours], rounds)
        assert theirs.outputs == ours.outputs, (theirs.outputs, ours.outputs)


if __name__ == "__main__":
    main()
