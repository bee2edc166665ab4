from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import augbench
from augbench import statistics

ROOT = Path(augbench.__file__).parents[1]

NAMES = """
    Analysis BlockComparison Bootstrap CalibrationSummary Comparison Curve Forest GapClosed
    GeometricMean Improvement McNemar MeanInterval Multiplier Pairing References Reliability
    ScalingEffect SignFlip SizeComparison Transfer TwoWayInterval Verdict across_blocks analyse
    as_plain attainable_p aulc calibration_summary clopper_pearson detectable_effect
    expected_calibration_error first_reach gap_closed geometric_mean holm holm_families isotonic
    label_multipliers mcnemar mean_interval noise_of_test_set pack paired_difference
    paired_t_power pairing probability_of_improvement reliability remarks seed_image_bootstrap
    seeds_for_power seeds_to_reach sign_flip step_down_max_t transfer two_way_interval unpack
    verdict wilcoxon_exact
"""


def test_the_public_names_are_pinned() -> None:
    assert sorted(statistics.__all__) == sorted(NAMES.split())
    assert all(hasattr(statistics, name) for name in statistics.__all__)


def test_an_analysis_loads_neither_torch_nor_scipy() -> None:
    code = (
        "import sys; from augbench.statistics import analyse, verdict\n"
        "verdict(analyse({'none': [[.1, .2]] * 3, 'a': [[.2, .3], [.1, .4], [.3, .3]]}, (1, 2)))\n"
        "print([m for m in ('torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
