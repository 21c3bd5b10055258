"""What may be opened, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class MediaPolicy:
    """The limits of opening media.

    roots: folders, besides a record's own corpus folder, that files may lie in (symbolic links resolved); also
        where files of a corpus that has moved are looked for. Relative ones are relative to the working directory.
    allow_urls: open http and https addresses; never those of private, loopback, link-local or reserved networks.
    max_bytes: the largest file or answer, in bytes. max_pixels: the largest image, width times height.
    timeout_seconds: for one URL, redirects included.
    """

    roots: tuple[str, ...] = ()
    allow_urls: bool = False
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    timeout_seconds: float = TIMEOUT_SECONDS

    @staticmethod
    def union(policies: Iterable[MediaPolicy]) -> MediaPolicy:
        """What at least one of them allows; the default where there is none."""
        found = list(policies)
        if not found:
            return MediaPolicy()
        return MediaPolicy(
            roots=tuple(dict.fromkeys(root for policy in found for root in policy.roots)),
            allow_urls=any(policy.allow_urls for policy in found),
            max_bytes=max(policy.max_bytes for policy in found),
            max_pixels=max(policy.max_pixels for policy in found),
            timeout_seconds=max(policy.timeout_seconds for policy in found),
        )
