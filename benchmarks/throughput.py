"""mmpipe beside what its users have today: the same weights, the same texts, the same run.

    python benchmarks/throughput.py [classify] [answer] [summarise] [write] [caption] [whole] --rounds 3
    python benchmarks/throughput.py classify answer --device cuda --documents 4000

Prints a table for each task: documents a second, the ratio to the fastest of the others with its least and most over
all rounds, and how far the outputs agree. The others are transformers' `pipeline()` at batch sizes 1, 8 and 32,
spacy-huggingface-pipelines, a bare loop, and sentence-transformers' `encode` at its default. All read the same
checkpoint, saved as a plain Hugging Face folder.
"""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import ours  # Keeps the hub out of it, before transformers is imported.
import torch
import transformers
from chosen import parsed, parser_of
from tasks.answer import answer
from tasks.caption import caption
from tasks.classify import classify
from tasks.summarise import summarise
from tasks.whole import whole
from tasks.write import write

from mmpipe.errors import ModelError

TASKS = {
    "classify": (classify, 200),
    "answer": (answer, 12),
    "summarise": (summarise, 200),
    "write": (write, 12),
    "caption": (caption, 64),
    "whole": (whole, 2000),
}
"""What to do, and with how many documents."""


def main() -> None:
    parser = parser_of(__doc__, "TASK", TASKS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, help="so many; each task has a number of its own")
    parser.add_argument("--device", default="cpu", help="where all run: cpu, or a GPU, as torch names it")
    given = parsed(parser)
    try:
        ours.use(given.device)
    except ModelError as error:
        parser.error(str(error))
    processor = platform.processor() or platform.machine()
    print(f"{processor}, {torch.get_num_threads()} threads, torch {torch.__version__}, ", end="")
    print(f"transformers {transformers.__version__}, {given.rounds} rounds")
    if torch.device(given.device).type == "cuda":
        print(torch.cuda.get_device_name(given.device))
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        for task in given.names:
            function, n = TASKS[task]
            function(Path(name) / task, given.rounds, given.documents or n)


if __name__ == "__main__":
    main()
