"""Where a path or an address leads, and whether one may go there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from mmpipe.errors import RecordError
from mmpipe.media.policy import MediaPolicy

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_REFUSED = frozenset({"data", "file", "blob", "javascript"})
_WEB = ("http", "https")


def shortened(path: str, most: int = 100) -> str:
    """A path as a message shows it: a data: address may hold a whole image."""
    return repr(path if len(path) <= most else path[: most - 3] + "...")


def is_url(path: str) -> bool:
    """Whether it is an http or https address."""
    return path.lower().startswith(tuple(f"{scheme}:" for scheme in _WEB))


def check_scheme(path: str, policy: MediaPolicy, where: str) -> None:
    """Raises RecordError for an address of a kind that is never opened, or of the web where that is not allowed."""
    match = _SCHEME.match(path)
    scheme = match.group(1).lower() if match else ""
    if scheme in _WEB and not policy.allow_urls:
        raise RecordError(
            f"image {shortened(path)} is a web address, and allow_urls is not set",
            where=where,
            next_step="set allow_urls = true in the component that opens images, or fetch the image beforehand",
        )
    if scheme in _WEB and not _has_host(path):
        raise RecordError(f"image {shortened(path)} is no address: it names no host", where=where)
    if match and scheme not in _WEB and (match.group(2) or scheme in _REFUSED):
        raise RecordError(
            f"image {shortened(path)}: addresses of the kind {scheme}: are not opened",
            where=where,
            next_step="write the image to a file beside the corpus, and its path here",
        )


def find_file(path: str, root: Path, policy: MediaPolicy, where: str) -> Path:
    """The file that a path leads to from `root`, symbolic links resolved; it need not be there.

    Raises RecordError where it lies neither below `root` nor below one of the policy's roots.
    """
    try:
        base = root.resolve()
        file = (base / path).resolve()
        allowed = [base, *(Path(other).expanduser().resolve() for other in policy.roots)]
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13.
        raise cannot_read(path, error, where) from None
    if not any(file.is_relative_to(folder) for folder in allowed):
        raise RecordError(
            f"image {shortened(path)} lies outside the corpus folder and the allowed roots",
            where=where,
            next_step=f"move it below {base.name}/, or add its folder to roots in the component that opens images",
        )
    return file


def cannot_read(path: str, error: Exception, where: str) -> RecordError:
    """The error for a file that the system will not open."""
    why = getattr(error, "strerror", None) or error
    return RecordError(
        f"image {shortened(path)} cannot be read: {why}",
        where=where,
        next_step="paths are relative to the corpus file; name a corpus that has moved in the component's roots",
    )


def _has_host(path: str) -> bool:
    try:
        return bool(urlsplit(path).hostname)
    except ValueError:
        return False
