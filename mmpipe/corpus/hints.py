"""What looks like a mistake in how a run was asked for, pointed out before the night is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mmpipe.corpus.source import Item
from mmpipe.names import nearest

logger = logging.getLogger("mmpipe")


def warn_without_text(items: Sequence[Item], text_key: str) -> None:
    """Say so where none of the first records has a text or an image."""
    keys = {key for item in items for key in item.record or ()}
    if keys and not keys & {text_key, "image", "images"}:
        logger.warning(
            "no record of the first %d has a %r; %s; name the right one with --text-key",
            len(items),
            text_key,
            nearest(text_key, keys, listing="their keys"),
        )
