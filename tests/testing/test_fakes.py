"""Fake models: the same everywhere, and of the shapes they promise."""

from __future__ import annotations

import numpy as np
import pytest

from mmpipe.testing import AWKWARD_TEXTS, fake_classifier, fake_embedder


def test_probabilities_sum_to_one_and_follow_from_the_text_alone() -> None:
    model, texts = fake_classifier(("a", "b", "c")), [*AWKWARD_TEXTS.values()]
    found = model.predict(texts)
    assert found.shape == (len(texts), 3) and np.allclose(found.sum(1), 1.0)
    for text, row in zip(texts, found, strict=True):
        assert (model.predict([text])[0] == row).all()
    assert len({tuple(row) for row in found}) == len(set(texts))
    assert (fake_classifier(("a", "b", "c"), seed=1).predict(texts) != found).any()
    assert model.predict([]).shape == (0, 3)


def test_texts_that_share_words_are_alike() -> None:
    rows = fake_embedder(32).predict(["the cat sat here", "the cat sat there", "nothing in common", ""])
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one label"):
        fake_classifier(())
    with pytest.raises(ValueError, match="width"):
        fake_embedder(0)
