"""A folder of files as bytes, and back: what `to_bytes` of a model gives."""

from __future__ import annotations

from pathlib import Path

import srsly

from mmpipe.errors import ModelError


def pack(folder: Path) -> bytes:
    """The files below a folder, with their places in it."""
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return srsly.msgpack_dumps(files)


def unpack(data: bytes, folder: Path) -> None:
    """Write what `pack` packed into a folder. Raises ModelError where it holds no files, or one for elsewhere."""
    files = srsly.msgpack_loads(data)
    if not isinstance(files, dict) or not all(isinstance(n, str) and type(c) is bytes for n, c in files.items()):
        raise ModelError("the bytes hold no files", next_step="make them with `to_bytes`")
    for name, content in files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"the bytes hold a file {name!r} outside their folder", next_step="do not trust them")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
