"""Curves, paired tests, label multipliers and the verdict: functions on arrays, NumPy and SciPy.

`analyse` computes everything that a report prints about one condition, and `verdict` says it in
words. The other functions are its parts, each with its formula and reference, and analyses that
need more than accuracies. `docs/statistics.md` explains the choices. SciPy is imported where it is
first needed, so that importing this package stays quick.
"""

from __future__ import annotations

from augbench.statistics.across_datasets import (
    AcrossDatasets,
    PairEffect,
    across_datasets,
    wilcoxon_exact,
)
from augbench.statistics.advice import Advice, advice
from augbench.statistics.advice_words import advice_line, size_runs
from augbench.statistics.analysis import analyse
from augbench.statistics.best import BestArms, BestSet, Candidate, best_arms
from augbench.statistics.best_of import Sensitivity, best_of, sensitivity
from augbench.statistics.best_words import best_line
from augbench.statistics.budget_words import (
    budget_remark,
    changed_by_budgets,
    cut_short_line,
    unchanged_by_budgets,
)
from augbench.statistics.calibration import CalibrationSummary, ScalingEffect, calibration_summary
from augbench.statistics.classwise import (
    balanced_accuracy,
    confusion_matrix,
    largest_confusions,
    macro_f1,
    recall_by_class,
)
from augbench.statistics.condition_words import (
    direction,
    disagreement_line,
    readouts_line,
    tuning_outcome,
    tuning_sentence,
)
from augbench.statistics.convergence import CutShort, LateGain, LateRise, late_gain, late_rises
from augbench.statistics.correctness import TwoWayInterval, two_way_interval, unpack
from augbench.statistics.curves import aulc
from augbench.statistics.failures import Collapses, LostSeeds, collapsed
from augbench.statistics.front import on_front
from augbench.statistics.improvement import Improvement, clopper_pearson, probability_of_improvement
from augbench.statistics.interactions import Interaction, interactions
from augbench.statistics.intervals import MeanInterval, mean_interval, paired_difference
from augbench.statistics.isotonic import first_reach, isotonic
from augbench.statistics.learning import Unlearnt, nothing_learnt
from augbench.statistics.level import ALPHA
from augbench.statistics.multiple import holm
from augbench.statistics.multipliers import (
    GeometricMean,
    Multiplier,
    geometric_mean,
    label_multipliers,
)
from augbench.statistics.paired_noise import PairedNoise, paired_noise
from augbench.statistics.pairing import Pairing, pairing
from augbench.statistics.pairwise import PairDifference, all_pairs, pairwise
from augbench.statistics.power import detectable_effect, seeds_for_power, sign_flip_power
from augbench.statistics.records import (
    Analysis,
    Comparison,
    Condition,
    Curve,
    References,
    SizeComparison,
    as_plain,
)
from augbench.statistics.references import GapClosed, gap_closed
from augbench.statistics.scale import Scale
from augbench.statistics.shift import ShiftEffect, shift_effects
from augbench.statistics.signflip import (
    FamilyTest,
    SignFlip,
    attainable_p,
    family_test,
    seeds_to_reach,
    sign_flip,
    step_down_max_t,
)
from augbench.statistics.spread import Spread, spread
from augbench.statistics.study_power import StudyPower, study_power, study_seeds
from augbench.statistics.test_images import images_needed, least_difference
from augbench.statistics.transfer import Transfer, transfer
from augbench.statistics.verdict import Verdict, remarks, verdict

__all__ = [
    "ALPHA",
    "AcrossDatasets",
    "Advice",
    "Analysis",
    "BestArms",
    "BestSet",
    "CalibrationSummary",
    "Candidate",
    "Collapses",
    "Comparison",
    "Condition",
    "Curve",
    "CutShort",
    "FamilyTest",
    "GapClosed",
    "GeometricMean",
    "Improvement",
    "Interaction",
    "LateGain",
    "LateRise",
    "LostSeeds",
    "MeanInterval",
    "Multiplier",
    "PairDifference",
    "PairEffect",
    "PairedNoise",
    "Pairing",
    "References",
    "Scale",
    "ScalingEffect",
    "Sensitivity",
    "ShiftEffect",
    "SignFlip",
    "SizeComparison",
    "Spread",
    "StudyPower",
    "Transfer",
    "TwoWayInterval",
    "Unlearnt",
    "Verdict",
    "across_datasets",
    "advice",
    "advice_line",
    "all_pairs",
    "analyse",
    "as_plain",
    "attainable_p",
    "aulc",
    "balanced_accuracy",
    "best_arms",
    "best_line",
    "best_of",
    "budget_remark",
    "calibration_summary",
    "changed_by_budgets",
    "clopper_pearson",
    "collapsed",
    "confusion_matrix",
    "cut_short_line",
    "detectable_effect",
    "direction",
    "disagreement_line",
    "family_test",
    "first_reach",
    "gap_closed",
    "geometric_mean",
    "holm",
    "images_needed",
    "interactions",
    "isotonic",
    "label_multipliers",
    "largest_confusions",
    "late_gain",
    "late_rises",
    "least_difference",
    "macro_f1",
    "mean_interval",
    "nothing_learnt",
    "on_front",
    "paired_difference",
    "paired_noise",
    "pairing",
    "pairwise",
    "probability_of_improvement",
    "readouts_line",
    "recall_by_class",
    "remarks",
    "seeds_for_power",
    "seeds_to_reach",
    "sensitivity",
    "shift_effects",
    "sign_flip",
    "sign_flip_power",
    "size_runs",
    "spread",
    "step_down_max_t",
    "study_power",
    "study_seeds",
    "transfer",
    "tuning_outcome",
    "tuning_sentence",
    "two_way_interval",
    "unchanged_by_budgets",
    "unpack",
    "verdict",
    "wilcoxon_exact",
]
