"""The temperature, judged against torch's cross-entropy minimised by scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from mmpipe.metrics.calibration import expected_calibration_error, fit_temperature, with_temperature


def overconfident(n: int, n_labels: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large, and gold drawn from what they should have said."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(n, n_labels)) * 1.5
    chances = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    gold = (chances.cumsum(1) > rng.random((n, 1))).argmax(1)
    return (honest * temperature).astype(np.float32), gold


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_softmax(temperature: float) -> None:
    logits, gold = overconfident(2000, 4, temperature)
    tensor, wanted = torch.from_numpy(logits), torch.from_numpy(gold)
    probabilities = tensor.softmax(-1).numpy()

    def loss(t: float) -> float:
        return float(torch.nn.functional.cross_entropy(tensor.double() / t, wanted))

    judged = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8}).x
    found = fit_temperature(probabilities, np.eye(4, dtype=bool)[gold])
    assert found == pytest.approx(judged, rel=1e-3) == pytest.approx(temperature, rel=0.12)
    cooled = with_temperature(probabilities, found)
    np.testing.assert_allclose(cooled, (tensor / found).softmax(-1).numpy(), atol=1e-5)
    before, after = (
        expected_calibration_error(p.max(1), p.argmax(1) == gold) for p in (probabilities.astype(float), cooled)
    )
    assert after < 0.03 and (after < before - 0.05 or temperature == 1.0)


def test_labels_that_stand_each_alone() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(1500, 3)).astype(np.float32)
    is_gold = rng.random((1500, 3)) < 1 / (1 + np.exp(-honest))
    tensor = torch.from_numpy(honest * 2)

    def loss(t: float) -> float:
        target = torch.from_numpy(is_gold.astype(float))
        return float(torch.nn.functional.binary_cross_entropy_with_logits(tensor.double() / t, target))

    judged = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8}).x
    found = fit_temperature(tensor.sigmoid().numpy(), is_gold, is_independent=True)
    assert found == pytest.approx(judged, rel=1e-3) == pytest.approx(2.0, rel=0.15)
    cooled = with_temperature(tensor.sigmoid().numpy(), found, is_independent=True)
    np.testing.assert_allclose(cooled, (tensor / found).sigmoid().numpy(), atol=1e-5)


def test_confidence_of_zero_and_one_lies_in_a_bin() -> None:
    confidence, is_right = np.array([0.0, 1.0, 1.0]), np.array([False, True, False])
    assert expected_calibration_error(confidence, is_right) == pytest.approx(2 / 3 * 0.5)
