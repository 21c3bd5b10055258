"""Backend torch.compile: traced by torch's own compiler front, beside the module as it is."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from mmpipe.models.classifier import SequenceClassifier
from mmpipe.models.transformer import shim_of

TEXTS = ["This film is good.", "", "so " * 300, "Bad?", "one two three four five six seven eight"]


@pytest.fixture(autouse=True)
def _front_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels need a C++ compiler; graphs are traced without."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))


def test_the_logits_are_those_of_torch(tiny, tmp_path):
    folder = tiny("bert", labels=("bad", "good"))
    plain = SequenceClassifier(folder, device="cpu", precision="fp32")
    model = SequenceClassifier(folder, device="cpu", precision="fp32", backend="torch.compile")
    twin = SequenceClassifier(folder, device="cpu", precision="fp32", backend="torch.compile")
    for wanted, found in zip(plain.predict(TEXTS), model.predict(TEXTS), strict=True):
        assert (wanted.logits is None) == (found.logits is None)
        if wanted.logits is not None:
            np.testing.assert_allclose(found.logits, wanted.logits, atol=1e-5)
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0
    assert shim_of(twin).module is shim_of(model).module, "compiled once"
    shim_of(model).to_disk(tmp_path / "saved")
    again = SequenceClassifier(str(tmp_path / "saved"), device="cpu", precision="fp32").predict(TEXTS)
    np.testing.assert_array_equal(again[0].logits, plain.predict(TEXTS)[0].logits)
