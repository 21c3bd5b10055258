"""References to media: made when a record becomes a Doc, opened when a component needs what they stand for."""

from __future__ import annotations

import hashlib
import mimetypes
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmpipe.errors import RecordError
from mmpipe.media.location import cannot_read, check_scheme, find_file, is_url, shortened
from mmpipe.media.policy import MediaPolicy

_BLOCK = 1 << 20
_UNKNOWN = "application/octet-stream"


def make_reference(path: str, root: Path, policy: MediaPolicy, where: str) -> dict[str, Any]:
    """The reference of a file or an address, as mmpipe.media describes it. A file is read once, in blocks.

    root: the folder that the path is relative to. where: the record, for errors.
    Raises RecordError where the file is not there, may not be opened or is larger than the policy says.
    """
    check_scheme(path, policy, where)
    if is_url(path):
        kind = mimetypes.guess_type(urlsplit(path).path)[0] or _UNKNOWN
        return {"path": path, "root": None, "sha256": None, "media_type": kind, "size": None}
    file = find_file(path, root, policy, where)
    digest, size = hashlib.sha256(), 0
    try:
        for block in _blocks(file, path, policy, where):
            digest.update(block)
            size += len(block)
        base = str(root.resolve())
    except (OSError, ValueError) as error:
        raise cannot_read(path, error, where) from None
    return {
        "path": path,
        "root": base,
        "sha256": digest.hexdigest(),
        "media_type": mimetypes.guess_type(file.name)[0] or _UNKNOWN,
        "size": size,
    }


def read_reference(reference: Mapping[str, Any], policy: MediaPolicy, where: str) -> bytes:
    """The bytes that a reference stands for.

    A file is looked for below the reference's own root, then below each of the policy's: a Doc may be opened in
    another process, on another day, or where the corpus has moved to. It must have the SHA-256 of the reference,
    so that a forged root shows nobody a file that they did not know already.
    Raises RecordError where it is not there, may not be opened, is too large, or has changed.
    """
    path = _field(reference, "path", where)
    check_scheme(path, policy, where)
    if is_url(path):
        from mmpipe.media.web import fetch  # brings http and ssl

        return fetch(path, policy, where)
    wanted = _field(reference, "sha256", where)
    error: RecordError | None = None
    for base in dict.fromkeys((_field(reference, "root", where), *policy.roots)):
        try:
            file = find_file(path, Path(base).expanduser(), policy, where)
        except RecordError as outside:
            error = error or outside
            continue
        try:
            data = b"".join(_blocks(file, path, policy, where))
        except (FileNotFoundError, NotADirectoryError) as missing:
            error = error or cannot_read(path, missing, where)
            continue
        except (OSError, ValueError) as other:
            raise cannot_read(path, other, where) from None
        found = hashlib.sha256(data).hexdigest()
        if found != wanted:
            raise RecordError(
                f"image {shortened(path)} has changed since the record was read: its SHA-256 is {found}, not {wanted}",
                where=where,
                next_step="read the corpus anew",
            )
        return data
    raise error or cannot_read(path, FileNotFoundError("not found"), where)


def _blocks(file: Path, path: str, policy: MediaPolicy, where: str) -> Iterator[bytes]:
    """The content of a regular file, no more than the policy's bytes; a pipe or a device would never end."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise RecordError(
            f"image {shortened(path)} cannot be read: it is {kind}, not a file",
            where=where,
            next_step="name a file; paths are relative to the corpus file",
        )
    size = 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            if max(size, file.stat().st_size) > policy.max_bytes:
                raise RecordError(
                    f"image {shortened(path)} is larger than max_bytes = {policy.max_bytes:,}",
                    where=where,
                    next_step="raise max_bytes in the component that opens images, or make the image smaller",
                )
            yield block


def _field(reference: Mapping[str, Any], key: str, where: str) -> str:
    value = reference.get(key) if isinstance(reference, Mapping) else None
    if not isinstance(value, str):
        raise RecordError(
            f"a media reference has no {key!r}", where=where, next_step="make the Doc with mmpipe.make_doc"
        )
    return value
