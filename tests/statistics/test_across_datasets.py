from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from augbench.errors import UsageError
from augbench.statistics import across_datasets, mean_interval, wilcoxon_exact


@pytest.mark.parametrize("pairs", [1, 6, 9, 20])
def test_wilcoxon_is_scipys_exact_one(pairs: int) -> None:
    x = np.random.default_rng(pairs).normal(0.5, 1, pairs)
    assert wilcoxon_exact(x) == pytest.approx(stats.wilcoxon(x, method="exact").pvalue)


def test_tied_ranks_stay_exact() -> None:
    x = np.array([0.1, 0.1, -0.1, 0.2, 0.2, 0.3, -0.4])
    ranks = stats.rankdata(np.round(np.abs(x), 9))
    signs = 1 - 2 * ((np.arange(2**7)[:, None] >> np.arange(7)) & 1)
    null, observed = signs @ ranks, (np.sign(x) * ranks).sum()
    assert wilcoxon_exact(x) == pytest.approx((np.abs(null) >= abs(observed) - 1e-9).mean())


def test_pairs_without_difference_are_left_out() -> None:
    x = np.arange(1.0, 8.0)
    assert wilcoxon_exact(np.append(x, [0.0, math.nan])) == wilcoxon_exact(x) == 2 / 2**7
    assert wilcoxon_exact([0.0]) == 1


def effects(pairs: int, shift: float, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"pair {b}": rng.normal(shift, 0.01, size=3 + b) for b in range(pairs)}


def test_six_pairs_are_tested_with_holm_across_augmentations() -> None:
    good, idle, other = across_datasets(
        {"good": effects(6, 1.0), "idle": effects(6, 0.0, 1), "other": effects(6, 1.0, 2)}
    )
    assert good.p == pytest.approx(2 / 2**6)
    assert good.p_holm == pytest.approx(3 * 2 / 2**6)
    assert good.refusal == ""
    assert idle.p > 0.05
    assert other.p_holm == good.p_holm


def test_five_pairs_are_refused_in_words_and_keep_their_effects() -> None:
    (result,) = across_datasets({"good": effects(5, 1.0)})
    assert math.isnan(result.p)
    assert math.isnan(result.p_holm)
    assert result.refusal.startswith("5 pairs of data sets: a test across pairs needs at least 6")
    assert [row.effect.n for row in result.effects] == [3, 4, 5, 6, 7]


def test_a_pair_counts_once_however_many_seeds_it_has() -> None:
    data = effects(4, 1.0)
    (result,) = across_datasets({"good": data})
    assert result.overall == mean_interval([values.mean() for values in data.values()])
    assert result.overall.n == 4


def test_a_single_pair_and_pairs_without_difference_are_worded() -> None:
    (one,) = across_datasets({"a": effects(1, 1.0)})
    assert one.refusal.startswith("1 pair of data sets: ")
    same = {**effects(5, 1.0), "same": np.zeros(3)}
    (six,) = across_datasets({"a": same})
    assert six.refusal.startswith("6 pairs of data sets, 1 without any difference: ")


def test_an_augmentation_without_pairs_is_refused() -> None:
    with pytest.raises(UsageError, match="augmentation 'a': expected at least one pair"):
        across_datasets({"a": {}})
