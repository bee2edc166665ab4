from __future__ import annotations

import numpy as np
import pytest

from augbench.statistics import calibration_summary, transfer


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
