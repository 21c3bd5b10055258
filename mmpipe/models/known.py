"""What a model has said of an input before, by the content of the input."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import torch

from mmpipe.models.transformer import TransformerShim
from mmpipe.runtime.results import result_cache

Item = TypeVar("Item")
Row = TypeVar("Row")
_version = functools.lru_cache(version)


def window_key(inputs: Mapping[str, Sequence[int]]) -> Hashable:
    """What tells a window from others of the same model: its pieces, as they are; a hash would cost more."""
    return tuple((name, tuple(ids)) for name, ids in inputs.items())


def tensors_key(inputs: Mapping[str, torch.Tensor]) -> Hashable:
    """The same of a model's inputs as tensors by name: a hash, for they are large."""
    digest = hashlib.sha256()
    for name, value in sorted(inputs.items()):
        tensor = value.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.digest()


class KnownRows(Generic[Row]):
    """The rows of one kind that a model has given before, where a result cache is used (mmpipe.runtime.results).

    what: which rows these are of the model's, and what else decides them, as JSON; None keeps nothing.
    keep, restore: a row as the cache can hold it, and back.
    """

    def __init__(
        self,
        shim: TransformerShim,
        what: Any,
        keep: Callable[[Row], Any] = lambda row: row,
        restore: Callable[[Any], Row] = lambda value: value,
    ) -> None:
        # Weights in training change from one update to the next.
        self._cache = result_cache() if shim.trainer is None and what is not None else None
        self._made_by = b"" if self._cache is None else _identity(shim, what)
        self._keep, self._restore = keep, restore

    def get(self, keys: Sequence[Hashable]) -> list[Row | None]:
        """The row of each input, by its `window_key` or `tensors_key`; None where it is not known."""
        if self._cache is None:
            return [None] * len(keys)
        found = self._cache.get(self._stored(keys))
        return [None if value is None else self._restore(value) for value in found]

    def put(self, keys: Sequence[Hashable], rows: Sequence[Row]) -> None:
        """Keep the row of each."""
        if self._cache is not None and keys:
            self._cache.put(self._stored(keys), [self._keep(row) for row in rows])

    def _stored(self, keys: Sequence[Hashable]) -> list[bytes]:
        return [hashlib.sha256(self._made_by + repr(key).encode()).digest() for key in keys]


def once_each(
    compute: Callable[[list[Item]], list[Row]], items: Sequence[Item], keys: Sequence[Hashable], known: KnownRows[Row]
) -> list[Row]:
    """The rows of all items, in their order. Equal items are computed once, and not at all where their row is known;
    equal ones share a row, which is not to be changed.

    compute: takes the items that are left, each distinct; one row each. keys: what tells each item from others.
    """
    distinct = dict(zip(keys, items, strict=True))
    rows = {key: row for key, row in zip(distinct, known.get(list(distinct)), strict=True) if row is not None}
    left = [key for key in distinct if key not in rows]
    fresh = compute([distinct[key] for key in left]) if left else []
    known.put(left, fresh)
    rows |= zip(left, fresh, strict=True)
    return [rows[key] for key in keys]


def _identity(shim: TransformerShim, what: Any) -> bytes:
    """A hash of all that decides a row beside the input: weights, settings, precision, device, versions."""
    module = shim.module  # "onnx or torch" is decided when it loads.
    writing, device = getattr(module, "generation_config", None), shim.placement.device
    is_gpu = device.type == "cuda"
    made_with = {
        "weights": shim.checkpoint.files.fingerprint,
        "placed": [shim.placement.precision, device.type, *([torch.cuda.get_device_name(device)] if is_gpu else [])],
        "class": [shim.checkpoint.auto_class, type(module).__name__],
        "settings": [config.to_json_string(use_diff=False) for config in (shim.config, writing) if config is not None],
        "versions": {name: _version(name) for name in ("torch", "transformers", *getattr(module, "libraries", ()))},
        "what": what,
    }
    return hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).digest()
