"""Model references: what `name` and `revision` in a model block stand for, as files on this disk."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mmpipe.errors import ModelError
from mmpipe.models.files import BACKBONES, Files, backbone_folder, check_folder
from mmpipe.names import is_address
from mmpipe.plugins import get_plugins

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_REVISION = re.compile(r"(?!.*\.\.)[\w][\w./-]{0,200}")
FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "tokenizer*", "*.jinja")
"""What is fetched and read of a model."""
_CARD = ("README.md", "LICENSE*")


@dataclass(frozen=True)
class Reference:
    """A model as a config names it.

    name: `mmpipe/<name>` (shipped by a plugin), a folder, or a Hugging Face id.
    revision: of a Hugging Face id: a commit hash (best), branch or tag.
    offline: never go to the network for it; HF_HUB_OFFLINE=1 says so for all.
    """

    name: str
    revision: str | None = None
    offline: bool = False

    def locate(self) -> Files:
        """The files of the model, checked. Raises ModelError that says what is missing and how to get it.

        Where a lock is in force (MMPIPE_LOCKED), also for a model that is not in it, or not as it is there.
        """
        from mmpipe.models.lock import check_locked, lock_in_force  # They know References.

        files, lock = self._located(), lock_in_force()
        if lock is not None:
            check_locked(self, files, lock)
        return files

    def fetch(self) -> Files:
        """The same, brought to this disk with its card if it is a Hugging Face model; no lock is asked.

        A branch or tag is looked up anew. Raises ModelError as `locate`.
        """
        files = self._located()
        if files.commit is None:
            return files
        if not self._is_forbidden and self.revision != files.commit:
            files = Files.of(self._downloaded(), name=self.name)
        return files

    def check(self) -> None:
        """Raises ModelError where the name stands for a folder that is not there or holds no weights, PluginError for
        a shipped model that no plugin knows. No weights are read, and a Hugging Face id is not looked for.
        """
        is_backbone = self.name in BACKBONES and self.revision is None  # Its weights are hashed when it is found.
        folder = None if is_backbone else self._named_folder()
        if folder is not None:
            check_folder(folder, self.name)

    def _located(self) -> Files:
        return Files.of(self._named_folder() or self._snapshot(), name=self.name)

    def _named_folder(self) -> Path | None:
        """The folder that the name stands for, None for a Hugging Face id."""
        if self.name.startswith("mmpipe/"):
            return Path(get_plugins().get("models", self.name).folder)
        if self.name in BACKBONES and self.revision is None:
            return backbone_folder(self.name)
        path = _path(self.name)
        if path is not None and path.is_dir():
            return path
        if path is None or path.is_absolute() or self.name.startswith(".") or not _HUB_ID.fullmatch(self.name):
            raise ModelError(
                f"no model folder {self.name!r}",
                next_step=f"name a folder, a Hugging Face id such as owner/model, or one of: {_shipped()}",
            )
        if self.revision is not None and not _REVISION.fullmatch(self.revision):
            raise ModelError(
                f"{self.revision!r} is no revision",
                where=self.name,
                next_step="a revision is a commit hash, a branch or a tag",
            )
        return None

    @property
    def _is_forbidden(self) -> bool:
        return self.offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")

    def _snapshot(self) -> Path:
        """The folder of a Hugging Face id in the local cache, fetched if need be and allowed."""
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            folder = self._found(is_local=True)
            if self._is_forbidden or _is_complete(folder):
                return folder
        except HFValidationError as error:
            raise ModelError(f"{self.name!r} is not a model id: {error}") from None
        except (LocalEntryNotFoundError, FileNotFoundError):
            pass
        if self._is_forbidden:
            raise ModelError(
                f"model {self.name!r} is not on this disk, and the network is forbidden", next_step=self._to_fetch
            )
        return self._downloaded()

    def _downloaded(self) -> Path:
        try:
            return self._found(is_local=False)
        except Exception as error:  # Whatever the network library raises; it is another one since hub 1.0.
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"model {self.name!r} cannot be fetched: {said}",
                next_step=f"check the name, or {self._to_fetch}; shipped models need no network: {_shipped()}",
            ) from None

    def _found(self, *, is_local: bool) -> Path:
        from huggingface_hub import snapshot_download

        wanted = [*FILES, *_CARD]
        return Path(
            snapshot_download(self.name, revision=self.revision, allow_patterns=wanted, local_files_only=is_local)
        )

    @property
    def _to_fetch(self) -> str:
        named = self.name + (f" --revision {self.revision}" if self.revision else "")
        how = f"with a network: `mmpipe models fetch {named}` (or `hf download {named}`)"
        return f"{how}; from another machine, copy its cache (HF_HOME) here"


def _path(name: str) -> Path | None:
    """The folder that a name may stand for. None for an address: a share of another machine is not looked at."""
    if not name or "\0" in name or is_address(name):
        return None
    try:
        return Path(name).expanduser()
    except RuntimeError:  # No such user, or no home.
        return None


def _is_complete(snapshot: Path) -> bool:
    """Whether a download that was cut short, or brought other files only, left all the weights behind."""
    if (index := snapshot / "model.safetensors.index.json").exists():
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        return all((snapshot / shard).exists() for shard in shards)
    return any(snapshot.glob("*.safetensors"))


def _shipped() -> str:
    return ", ".join(get_plugins().names("models")) or "none"
