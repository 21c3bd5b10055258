"""The gold of captions: what several people wrote of each image, beside the image's reference."""

from __future__ import annotations

from typing import Any

from spacy.training import Example

from mmpipe.document import media_of
from mmpipe.learning import record_of
from mmpipe.metrics.caption import Caption as CaptionMetric


def gold_of(example: Example) -> list[tuple[dict[str, Any], list[str]]]:
    """A media reference and its captions, at least one, for each image that has gold; see mmpipe.metrics.caption.

    Raises RecordError where the record's `captions` are malformed.
    """
    images = CaptionMetric().read_gold(record_of(example)) or []
    references = media_of(example.reference) or media_of(example.predicted)
    named = {reference["path"]: reference for reference in references}
    found = []
    for image in images:
        reference = named.get(image.path) if image.path is not None else None
        if reference is not None and image.captions:
            found.append((reference, list(image.captions)))
    return found
