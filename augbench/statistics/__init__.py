"""Curves, paired tests and label multipliers: pure functions on arrays, NumPy only.

`analyse` computes everything that a report prints about one pair of data sets, and `verdict` says
it in words. The other functions are its parts, each with its formula and reference, and analyses
that need more than accuracies. `docs/statistics.md` explains the choices.
"""

from __future__ import annotations

from augbench.statistics.analysis import analyse
from augbench.statistics.blocks import BlockComparison, Forest, across_blocks, wilcoxon_exact
from augbench.statistics.calibration import (
    CalibrationSummary,
    Reliability,
    ScalingEffect,
    calibration_summary,
    expected_calibration_error,
    reliability,
)
from augbench.statistics.correctness import (
    Bootstrap,
    McNemar,
    TwoWayInterval,
    mcnemar,
    noise_of_test_set,
    pack,
    seed_image_bootstrap,
    two_way_interval,
    unpack,
)
from augbench.statistics.curves import aulc
from augbench.statistics.improvement import (
    Improvement,
    clopper_pearson,
    probability_of_improvement,
)
from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference
from augbench.statistics.isotonic import first_reach, isotonic
from augbench.statistics.multiple import holm, holm_families
from augbench.statistics.multipliers import (
    GeometricMean,
    Multiplier,
    geometric_mean,
    label_multipliers,
)
from augbench.statistics.pairing import Pairing, pairing
from augbench.statistics.power import detectable_effect, paired_t_power, seeds_for_power
from augbench.statistics.references import GapClosed, gap_closed
from augbench.statistics.signflip import (
    SignFlip,
    attainable_p,
    seeds_to_reach,
    sign_flip,
    step_down_max_t,
)
from augbench.statistics.transfer import Transfer, transfer
from augbench.statistics.tree import (
    Analysis,
    Comparison,
    Curve,
    References,
    SizeComparison,
    as_plain,
)
from augbench.statistics.verdict import Verdict, remarks, verdict

__all__ = [
    "Analysis",
    "BlockComparison",
    "Bootstrap",
    "CalibrationSummary",
    "Comparison",
    "Curve",
    "Forest",
    "GapClosed",
    "GeometricMean",
    "Improvement",
    "McNemar",
    "MeanInterval",
    "Multiplier",
    "Pairing",
    "References",
    "Reliability",
    "ScalingEffect",
    "SignFlip",
    "SizeComparison",
    "Transfer",
    "TwoWayInterval",
    "Verdict",
    "across_blocks",
    "analyse",
    "as_plain",
    "attainable_p",
    "aulc",
    "calibration_summary",
    "clopper_pearson",
    "detectable_effect",
    "expected_calibration_error",
    "first_reach",
    "gap_closed",
    "geometric_mean",
    "holm",
    "holm_families",
    "isotonic",
    "label_multipliers",
    "mcnemar",
    "mean_interval",
    "noise_of_test_set",
    "pack",
    "paired_difference",
    "paired_t_power",
    "pairing",
    "probability_of_improvement",
    "reliability",
    "remarks",
    "seed_image_bootstrap",
    "seeds_for_power",
    "seeds_to_reach",
    "sign_flip",
    "step_down_max_t",
    "transfer",
    "two_way_interval",
    "unpack",
    "verdict",
    "wilcoxon_exact",
]
