"""Where a run's files stand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mmpipe.corpus.durable import PART

SHARD, QUARANTINE, MANIFEST = "shard-", "quarantine", "manifest.json"


@dataclass(frozen=True)
class Layout:
    """The files of a run in a folder: numbered shards, the quarantine of each and of all, the manifest.

    ending: of the shards, such as `.jsonl` or `.jsonl.gz`.
    """

    folder: Path
    ending: str = ".jsonl"

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST

    @property
    def quarantine(self) -> Path:
        return self.folder / f"{QUARANTINE}.jsonl"

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    def shard(self, index: int) -> Path:
        return self.folder / f"{SHARD}{index:05d}{self.ending}"

    def shard_quarantine(self, index: int) -> Path:
        return self.folder / QUARANTINE / f"{SHARD}{index:05d}.jsonl"

    def begun(self, index: int) -> Path:
        """Where an engine may note how far it is in a shard. Swept before a run goes on."""
        return self.folder / f"{SHARD}{index:05d}.begun{PART}"

    @property
    def is_used(self) -> bool:
        """Whether there are files that `clear` would remove."""
        return self.quarantine.exists() or any(self.folder.glob(f"{SHARD}[0-9]*"))

    def clear(self) -> None:
        """Remove all that a run wrote; other files in the folder stay."""
        shutil.rmtree(self.folder / QUARANTINE, ignore_errors=True)
        for file in (*self.folder.glob(f"{SHARD}[0-9]*"), self.quarantine, self.manifest):
            file.unlink(missing_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what a kill left half written."""
        for file in (*self.folder.glob(f"*{PART}"), *self.folder.glob(f"{QUARANTINE}/*{PART}")):
            file.unlink(missing_ok=True)
