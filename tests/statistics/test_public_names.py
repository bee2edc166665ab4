from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import augbench
from augbench import statistics

ROOT = Path(augbench.__file__).parents[1]

NAMES = """
    ALPHA AcrossDatasets Advice Analysis BestArms BestSet CalibrationSummary Candidate Collapses
    Comparison Condition Curve CutShort FamilyTest GapClosed GeometricMean Improvement Interaction
    LateGain LateRise LostSeeds MeanInterval Multiplier PairDifference PairEffect PairedNoise
    Pairing References Scale ScalingEffect Sensitivity ShiftEffect SignFlip SizeComparison Spread
    StudyPower Transfer TwoWayInterval Unlearnt Verdict across_datasets advice advice_line all_pairs
    analyse as_plain attainable_p aulc balanced_accuracy best_arms best_line best_of budget_remark
    calibration_summary changed_by_budgets clopper_pearson collapsed confusion_matrix cut_short_line
    detectable_effect direction disagreement_line family_test first_reach gap_closed geometric_mean
    holm images_needed interactions isotonic label_multipliers largest_confusions late_gain
    late_rises least_difference macro_f1 mean_interval nothing_learnt on_front paired_difference
    paired_noise pairing pairwise probability_of_improvement readouts_line recall_by_class remarks
    seeds_for_power seeds_to_reach sensitivity shift_effects sign_flip sign_flip_power size_runs
    spread step_down_max_t study_power study_seeds transfer tuning_outcome tuning_sentence
    two_way_interval unchanged_by_budgets unpack verdict wilcoxon_exact
"""


def test_the_public_names_are_pinned() -> None:
    assert sorted(statistics.__all__) == sorted(NAMES.split())
    assert all(hasattr(statistics, name) for name in statistics.__all__)


def loaded_by(code: str) -> list[str]:
    code += (
        "; import sys; print(*[m for m in ('torch', 'scipy', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_statistics_loads_neither_torch_nor_scipy() -> None:
    assert loaded_by("import augbench.statistics") == []


def test_an_analysis_loads_no_distributions_beyond_scipys_special_functions() -> None:
    code = (
        "from augbench.statistics import analyse, verdict; "
        "verdict(analyse({'none': [[.1, .2]] * 3, 'a': [[.2, .3], [.1, .4], [.3, .3]]}, (1, 2)))"
    )
    assert loaded_by(code) == ["scipy"]
