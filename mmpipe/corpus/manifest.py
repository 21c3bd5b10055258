"""The manifest of a run: its plan, what each finished shard holds, and how the run stands."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mmpipe.corpus.durable import write_whole
from mmpipe.corpus.layout import Layout
from mmpipe.errors import MmpipeError

SCHEMA = "mmpipe.run.v1"
RUNNING, STOPPED, FINISHED = "running", "stopped", "finished"
_LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class ShardEntry:
    """What a finished shard holds.

    index: its number. first: the number of its first record in the run. n_read = n_written + n_quarantined + n_skipped.
    n_input_bytes: how far into all inputs it ends, 0 where that is not known. n_bytes, sha256: of its file.
    quarantine_sha256: of its quarantine, None where nothing failed. n_tokens: spaCy's, of what was written.
    seconds: that it took; component_seconds: of these, in each component. errors: (component, error), how many.
    """

    index: int
    first: int
    n_read: int
    n_written: int
    n_quarantined: int
    n_skipped: int
    n_input_bytes: int
    n_bytes: int
    sha256: str
    quarantine_sha256: str | None
    n_tokens: int = 0
    seconds: float = 0.0
    component_seconds: dict[str, float] = field(default_factory=dict)
    errors: list[Any] = field(default_factory=list)


@dataclass
class Counts:
    """Records: read = written + quarantined + skipped. n_tokens: of what was written. n_shards: finished."""

    n_read: int = 0
    n_written: int = 0
    n_quarantined: int = 0
    n_skipped: int = 0
    n_tokens: int = 0
    n_shards: int = 0

    def add(self, entry: ShardEntry, sign: int = 1) -> None:
        for key in ("n_read", "n_written", "n_quarantined", "n_skipped", "n_tokens"):
            setattr(self, key, getattr(self, key) + sign * getattr(entry, key))
        self.n_shards += sign


class Manifest:
    """The state of a run on disk.

    plan: see Plan.as_dict. command: see Command. columns: of table formats, None for others.
    history: what was done by force or again, in order.
    """

    def __init__(
        self, layout: Layout, plan: Mapping[str, Any], command: Mapping[str, Any], columns: Any = None
    ) -> None:
        self.layout, self.plan, self.command, self.columns = layout, dict(plan), dict(command), columns
        self.shards: dict[int, ShardEntry] = {}
        self.counts = Counts()
        self.state = RUNNING
        self.total_bytes = 0
        self.started = self.updated = time.time()
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self._saved_at = self._save_seconds = 0.0

    @classmethod
    def read(cls, layout: Layout) -> Manifest | None:
        """The manifest of a folder; None where there is none, or no folder. Raises MmpipeError for a damaged one."""
        try:
            tree = json.loads(layout.manifest.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise MmpipeError(
                f"cannot be read: {error.strerror}", where=str(layout.manifest), next_step="check its permissions"
            ) from None
        except ValueError as error:
            step = "`mmpipe run` with --restart begins the run anew, and removes what is there"
            raise MmpipeError(f"is no JSON: {error}", where=str(layout.manifest), next_step=step) from None
        if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
            raise MmpipeError(
                f"is no manifest of {SCHEMA}", where=str(layout.manifest), next_step="name another output folder"
            )
        found = cls(Layout(layout.folder, tree["plan"]["options"]["format"]), tree["plan"], tree["command"])
        found.columns, found.state, found.history = tree["columns"], tree["state"], tree["history"]
        found.started, found.updated, found.seconds = tree["started"], tree["updated"], tree["seconds"]
        found.total_bytes = tree["total_bytes"]
        for entry in tree["shards"]:
            found._put(ShardEntry(**entry))
        return found

    def add(self, entry: ShardEntry) -> None:
        """Take note of a finished shard; what was noted of it before is replaced.

        It is saved once a second at most, and as much more seldom as it grows: a shard that a kill keeps from being
        noted is done again, to the same bytes.
        """
        self._put(entry)
        if time.monotonic() - self._saved_at >= max(_LEAST_SECONDS, 20 * self._save_seconds):
            self.save()

    def note(self, event: str, **details: Any) -> None:
        """Add to the history."""
        self.history.append({"event": event, "at": time.time(), **details})

    def save(self) -> None:
        """Write it, whole or not at all."""
        began = time.monotonic()
        self.updated = time.time()
        tree = {
            "schema": SCHEMA,
            "state": self.state,
            "counts": asdict(self.counts),
            "started": self.started,
            "updated": self.updated,
            "seconds": self.seconds,
            "total_bytes": self.total_bytes,
            "plan": self.plan,
            "command": self.command,
            "columns": self.columns,
            "history": self.history,
            "shards": [asdict(self.shards[index]) for index in sorted(self.shards)],
        }
        write_whole(self.layout.manifest, json.dumps(tree, ensure_ascii=False, indent=1).encode("utf-8"))
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _put(self, entry: ShardEntry) -> None:
        if entry.index in self.shards:
            self.counts.add(self.shards[entry.index], -1)
        self.shards[entry.index] = entry
        self.counts.add(entry)
