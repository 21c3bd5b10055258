"""What a checkpoint's own files may not say: code to run, kernels to fetch, and files beyond the folder.

transformers is told not to run a checkpoint's code (`trust_remote_code=False`). These are the ways around that: some
of its loaders follow names that stand in JSON files of the checkpoint, to other folders, or to code on the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmpipe.errors import ModelError

MAX_JSON_BYTES = 256 * 2**20
_ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")


def vet(folder: Path, name: str) -> None:
    """Look at the JSON files of a checkpoint. Raises ModelError for one that leads out of the folder, or to code."""
    if (folder / "adapter_config.json").exists():
        raise _refused(name, folder, "it is an adapter, whose base model may be any", "merge it into its base model")
    for file in sorted(folder.glob("*.safetensors.index.json")):
        shards = _read(file, name).get("weight_map", {})
        for shard in shards.values() if isinstance(shards, Mapping) else ():
            if not isinstance(shard, str) or not _is_plain(shard):
                raise _refused(name, file, f"it names weights outside the folder: {shard!r}", "do not use it")
    for key, value in _leaves(_read(folder / "config.json", name)):
        if key in _ATTENTION and isinstance(value, str) and set(value) & set("/:\\"):
            raise _refused(name, folder / "config.json", f"{key} = {value!r} names code to fetch", f"remove {key}")


def tokenizer_files(folder: Path, name: str) -> dict[str, str]:
    """Files that tokenizer_config.json names and that lie elsewhere, as arguments that name those in the folder.

    A tokenizer that was saved from a cache names files there; transformers would read them, whatever they are.
    Raises ModelError where the folder has none of that name, and the other one exists.
    """
    given = {}
    for key, value in _read(folder / "tokenizer_config.json", name).items():
        if not key.endswith("_file") or not isinstance(value, str) or _is_plain(value):
            continue
        own = folder / value.replace("\\", "/").rpartition("/")[2]
        if own.name and own.is_file():
            given[key] = str(own)
        elif Path(value).exists():
            raise _refused(
                name, folder / "tokenizer_config.json", f"{key} = {value!r} lies outside the folder", f"remove {key}"
            )
    return given


def _read(file: Path, name: str) -> dict[str, Any]:
    """A JSON object; {} for a file that is not there, or that transformers will refuse with words of its own."""
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise _refused(name, file, f"it has more than {MAX_JSON_BYTES:,} bytes", "do not use it")
        tree = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        yield str(key), value
        yield from _leaves(value)


def _is_plain(name: str) -> bool:
    return bool(name) and not set(name) & set("/\\:") and name not in (".", "..")


def _refused(name: str, where: Path, why: str, next_step: str) -> ModelError:
    return ModelError(f"model {name!r} is refused: {why}", where=str(where), next_step=next_step)
