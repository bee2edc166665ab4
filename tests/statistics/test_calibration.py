from __future__ import annotations

import math

import numpy as np
import pytest

from augbench.errors import UsageError
from augbench.statistics import (
    calibration_summary,
    expected_calibration_error,
    reliability,
    transfer,
)


def test_four_images_in_two_bins_by_hand() -> None:
    result = reliability([0.2, 0.4, 0.9, 0.7], [1, 0, 1, 1], bins=2)
    assert result.counts == (2, 2)
    assert result.confidence == pytest.approx((0.3, 0.8))
    assert result.accuracy == (0.5, 1.0)
    assert result.ece == pytest.approx(0.5 * 0.2 + 0.5 * 0.2)


def test_bins_are_closed_on_the_right_and_the_first_takes_zero() -> None:
    result = reliability([0.0, 0.5, 0.5 + 1e-9, 1.0], [0, 0, 0, 0], bins=2)
    assert result.counts == (2, 2)


def test_ece_by_a_loop() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    hits = rng.random(500) < p**2
    total = 0.0
    for b in range(15):
        inside = (p > b / 15) & (p <= (b + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(hits[inside].mean() - p[inside].mean())
    assert expected_calibration_error(p, hits) == pytest.approx(total)


def test_empty_bins_are_nan_and_weigh_nothing() -> None:
    result = reliability([0.95], [1], bins=10)
    assert math.isnan(result.accuracy[0])
    assert result.ece == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("confidences", "correct", "bins", "message"),
    [
        ([1.2], [1], 15, "probabilities"),
        ([0.5], [0.5], 15, "0 or 1"),
        ([0.5, 0.5], [1], 15, "for each image"),
        ([], [], 15, "for each image"),
        ([0.5], [1], 0, "bins"),
        ([math.nan], [1], 15, "probabilities"),
    ],
)
def test_what_is_no_confidence_is_refused(confidences, correct, bins, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reliability(confidences, correct, bins=bins)


def test_the_summary_pairs_before_and_after() -> None:
    result = calibration_summary([0.1, 0.2, 0.3], [0.05, 0.1, 0.15], [1, 2, 3], [1, 2, 3])
    assert result.ece.before.mean == pytest.approx(0.2)
    assert result.ece.after.mean == pytest.approx(0.1)
    assert result.ece.change.mean == pytest.approx(-0.1)
    assert result.nll.change.sd == 0


def test_transfer_says_when_the_signs_differ() -> None:
    jitter = np.array([-0.01, 0.0, 0.01, 0.005])
    zero = np.zeros(4)
    assert transfer(jitter - 0.1, zero, jitter + 0.1, zero).agreement == "opposite signs"
    assert transfer(jitter + 0.1, zero, jitter + 0.1, zero).agreement == "same sign"
    assert transfer(jitter, zero, jitter + 0.1, zero).agreement == "not established"
    assert transfer([0.1], [0.0], [0.1], [0.0]).agreement == "not established"
