"""What a plugin author's tests import: tiny real checkpoints, and texts of every awkward sort."""

from mmpipe.testing.checkpoints import CLASSIFIERS, EXTRACTORS, SEQ2SEQ, tiny_checkpoint
from mmpipe.testing.distributions import write_plugin
from mmpipe.testing.frail import frail_plugin
from mmpipe.testing.texts import AWKWARD_TEXTS
from mmpipe.testing.vision_checkpoints import VISION

__all__ = [
    "AWKWARD_TEXTS",
    "CLASSIFIERS",
    "EXTRACTORS",
    "SEQ2SEQ",
    "VISION",
    "frail_plugin",
    "tiny_checkpoint",
    "write_plugin",
]
