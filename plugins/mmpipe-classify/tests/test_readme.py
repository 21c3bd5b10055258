"""The README says all there is to set."""

from __future__ import annotations

import inspect
from pathlib import Path

from mmpipe_classify.embeddings import Embeddings
from mmpipe_classify.entailment import Entailment
from mmpipe_classify.factory import CLASSIFIER_DEFAULTS, ZERO_SHOT_DEFAULTS


def test_every_setting_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {*ZERO_SHOT_DEFAULTS, *CLASSIFIER_DEFAULTS}
    names |= {name for function in (Embeddings, Entailment) for name in inspect.signature(function).parameters}
    assert not [name for name in names if f"\n| `{name}` |" not in readme]
