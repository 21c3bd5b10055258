import json
from pathlib import Path
from typing import Annotated

import typer

from mmpipe import MmpipeError


def words(
    results: Annotated[Path, typer.Argument(help="What `mmpipe run` wrote, as .jsonl.")],
    least: Annotated[int, typer.Option(min=1, help="Leave out shorter words.")] = 1,
) -> None:
    """Count the words of results."""
    if not results.exists():
        raise MmpipeError("no such file", where=str(results), next_step="name what `mmpipe run` wrote")
    texts = (json.loads(line).get("text") or "" for line in results.read_text("utf-8").splitlines())
    print(sum(len(word) >= least for text in texts for word in text.split()))
