"""Pseudonyms in a file, turned back."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from mmpipe import MmpipeError
from mmpipe_privacy.pseudonyms import TOKEN, Key, open_for_owner


def reveal_file(file: Path, key: Key, output: Path | None) -> tuple[int, int]:
    """Write the file with its pseudonyms turned back; how many were, and how many are not of this key.

    file: JSON lines, of which the strings are taken, or any other text; packed where it ends in .gz. output: a file
    that is not there yet; None is standard output.
    Raises MmpipeError where the file cannot be read, or not one of its pseudonyms is of this key.
    """
    n_found = n_strange = 0
    first: tuple[int, str] | None = None
    # All is looked at before a line is written.
    for number, line in enumerate(_lines(file), start=1):
        for match in TOKEN.finditer(line):
            if key.value(*match.groups()) is None:
                n_strange += 1
                first = first or (number, match.group(1))
            else:
                n_found += 1
    if first and not n_found:
        raise MmpipeError(
            f"the key does not fit: it opens none of {n_strange:,} pseudonyms, the first being of kind {first[1]}",
            where=f"{file}:{first[0]}",
            next_step="take the key that the run had (key_file or key_env of its component)",
        )
    if output is None:
        _write(file, key, sys.stdout)
        return n_found, n_strange
    descriptor = open_for_owner(output, next_step="name another -o, not there yet")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        _write(file, key, stream)
    return n_found, n_strange


def _write(file: Path, key: Key, stream: TextIO) -> None:
    def back(text: str) -> str:
        return TOKEN.sub(lambda match: key.value(*match.groups()) or match.group(), text)

    for line in _lines(file):
        stream.write(_revealed(line, back) if TOKEN.search(line) else line)


def _revealed(line: str, back: Callable[[str], str]) -> str:
    """A line; where it is JSON, what comes back is spelled as JSON spells it."""
    try:
        tree = json.loads(line) if line.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict | list):
        return back(line)
    return json.dumps(_mapped(tree, back), ensure_ascii=False) + line[len(line.rstrip("\r\n")) :]


def _mapped(tree: Any, back: Callable[[str], str]) -> Any:
    if isinstance(tree, str):
        return back(tree)
    if isinstance(tree, list):
        return [_mapped(one, back) for one in tree]
    if isinstance(tree, dict):
        return {back(key): _mapped(one, back) for key, one in tree.items()}
    return tree


def _lines(file: Path) -> Iterator[str]:
    opened: Any = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8", newline="") as stream:
            yield from stream
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "is no text in UTF-8"
        raise MmpipeError(f"cannot be read: {said}", where=str(file), next_step="name a file of results") from None
