"""What a plugin author's tests import: tiny real checkpoints, and texts of every awkward sort."""

from mmpipe.testing.checkpoints import CLASSIFIERS, SEQ2SEQ, tiny_checkpoint
from mmpipe.testing.distributions import write_plugin
from mmpipe.testing.texts import AWKWARD_TEXTS

__all__ = ["AWKWARD_TEXTS", "CLASSIFIERS", "SEQ2SEQ", "tiny_checkpoint", "write_plugin"]
