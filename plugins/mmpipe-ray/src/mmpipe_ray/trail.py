"""How far an actor is in a shard, on disk, for the one that takes it up where that one dies."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from mmpipe.corpus.engine import redone
from mmpipe.corpus.shard import Shard

_HOW = "died (out of memory, a crash, or its machine)"


class Trail:
    """A small file beside a shard while it is worked on; there is one at the beginning only where an actor died.

    file: in the run's folder, which all machines of the cluster see.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._shard: Shard | None = None
        self._kills: Counter[int] = Counter()

    def follow(self, shard: Shard) -> Shard:
        """The shard as it is to be done now, after what happened to those that worked on it before; see `redone`."""
        with contextlib.suppress(FileNotFoundError, ValueError):  # ValueError: it died as it wrote this.
            told = json.loads(self._file.read_text("utf-8"))
            self._kills.update({int(number): n for number, n in told["kills"].items()})
            dead = {int(place): how for place, how in told["dead"].items()}
            shard = replace(shard, alone=frozenset(told["alone"]), dead=dead)
            shard = redone(shard, tuple(told["batch"]), self._kills, _HOW)
        self._shard = shard
        return shard

    def note(self, start: int, n: int) -> None:
        """A batch begins: n records from place `start` in the shard."""
        assert self._shard is not None
        told = {
            "batch": [start, n],
            "kills": self._kills,
            "alone": sorted(self._shard.alone),
            "dead": self._shard.dead,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(told), "utf-8")

    def end(self) -> None:
        """The shard is done."""
        self._file.unlink(missing_ok=True)
