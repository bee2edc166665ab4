"""What a study is told to find, and how long to take, before it computes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic import fill, make_study

from augbench import power
from augbench.api import execute, expected, plan
from augbench.errors import StoreError, UsageError
from augbench.forecasting import timed
from augbench.forecasting.duration import words
from augbench.forecasting.noise import noise_of, stored_noise
from augbench.forecasting.typical import GLYPHS, HANDWRITING
from augbench.results import StudyResult
from augbench.statistics import aulc
from augbench.store import Store


def planned(tmp_path, **options):
    return plan(augmentations=["mixup"], out=tmp_path / "new", **options)


def test_a_study_of_too_few_seeds_is_told_so_in_one_line(tmp_path):
    for seeds, why in ((1, "one seed has no noise"), (5, "the least p-value is 0.062")):
        found = expected(planned(tmp_path, seeds=seeds))
        assert found.warning.startswith(f"{seeds} seed{'s' * (seeds > 1)} cannot establish any")
        assert why in found.warning
        assert "seeds=6 is the least" in found.warning
        assert math.isnan(found.detectable)
        assert not any("four times in five" in line for line in found.lines)
    assert expected(planned(tmp_path, seeds=6)).warning == ""
    assert not (tmp_path / "new").exists()


def test_a_study_that_compares_nothing_is_told_nothing(tmp_path):
    alone = plan(augmentations=[], out=tmp_path, seeds=1)
    assert expected(alone).warning == ""
    without = plan(augmentations=["mixup"], baseline=None, out=tmp_path, seeds=1)
    assert expected(without).warning == ""


def test_typical_noise_is_named_as_such_and_more_arms_take_larger_effects(tmp_path):
    one = expected(planned(tmp_path, seeds=8))
    many = expected(
        plan(augmentations=[f"mixup:alpha={k / 10}" for k in range(1, 9)], out=tmp_path, seeds=8)
    )
    assert (one.arms, many.arms) == (1, 8)
    assert one.typical
    assert GLYPHS.source in one.lines[0]
    assert one.detectable < many.detectable
    assert set(one.detectable_at) == {1, 64}
    assert one.seconds is None
    assert "--dry-run --time measures it" in one.lines[-1]


def test_no_noise_is_typical_of_another_metric(tmp_path):
    found = expected(planned(tmp_path, seeds=8, metric="nll"))
    assert found.noise == ""
    assert len(found.lines) == 1


@pytest.mark.parametrize("typical", [GLYPHS, HANDWRITING])
def test_typical_noise_is_a_covariance(typical):
    covariance = typical.noise.covariance
    np.testing.assert_allclose(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > -1e-5
    assert 0.01 < typical.noise.sd_of_area < 0.04


def test_the_store_tells_noise_and_time_of_a_study_that_is_alike(tiny_options):
    few = plan(replace(tiny_options, seeds=3))
    execute(few)
    more = plan(replace(tiny_options, seeds=8))
    found = expected(more)
    assert not found.typical
    assert found.noise == "3 seeds of study 1 in the store"
    assert found.cells == 20
    assert found.seconds > 0
    assert found.basis == "from 12 cells that this machine has trained"
    stored = StudyResult(Store.read(tiny_options.out).study())
    # What is foretold of five seeds more is five thirds of what three have taken, on one worker.
    taken = sum(cell.result.seconds for cell in stored.cells)
    assert found.seconds == pytest.approx(taken * 5 / 3, rel=0.05)
    longer = expected(plan(replace(tiny_options, seeds=8, pretrain_steps=16)))
    assert longer.typical  # another length of pretraining may be noisier
    assert longer.seconds > found.seconds
    other = plan(replace(tiny_options, seeds=8, pretrain_datasets="tiny-b"))
    assert expected(other).seconds is None
    assert expected(few).cells == 0


def test_timing_trains_some_steps_and_stores_nothing(tiny_options):
    one = plan(replace(tiny_options, readouts=["linear", "full"], pretrain_steps=[8, 40], seeds=1))
    duration = timed(one, one.cells)
    assert duration.seconds > 0
    assert "for some steps" in duration.basis
    assert not tiny_options.out.exists()
    assert timed(one, []) is None


def test_what_runs_elsewhere_is_not_timed_here(tiny_options):
    one = plan(replace(tiny_options, executor="serial"))
    with pytest.raises(UsageError, match="--time: cannot be used with"):
        timed(one, one.cells)
    found = expected(one)
    assert found.seconds is None
    assert found.lines[-1].endswith("; how long executor='serial' takes is not known")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "1 second"),
        (40.4, "40 seconds"),
        (150, "2.5 minutes"),
        (3000, "50 minutes"),
        (9000, "2.5 hours"),
        (172_000, "48 hours"),
        (864_000, "10 days"),
    ],
)
def test_durations_are_told_in_two_digits(seconds, told):
    assert words(seconds) == told


@pytest.fixture
def pilot(tmp_path):
    fill(tmp_path / "pilot", make_study(["collage", "mixup"], seeds=5, sizes=(1, 4, 16)))
    return tmp_path / "pilot"


def test_power_takes_the_noise_of_a_pilot(pilot):
    found = power(pilot, detect=[6, 9])
    result = StudyResult(Store.read(pilot).study())
    scores = result.scores(result.pairs[0])
    areas = [
        np.var(aulc(scores[arm] - scores["none"], (1, 4, 16)), ddof=1)
        for arm in ("collage", "mixup")
    ]
    assert found.noise_of_average == pytest.approx(100 * math.sqrt(np.mean(areas)))
    assert (found.pilot_seeds, found.arms, found.seeds_needed) == (5, 2, 6)
    six, nine = found.rows
    assert 6 <= nine.seeds <= six.seeds
    assert nine.fewest <= nine.seeds
    assert nine.cells == nine.seeds * 9
    assert power(result, detect=9).rows[0] == nine


def test_power_plans_other_arms_and_sizes(pilot):
    planned = power(pilot, detect=9, arms=9, samples_per_class=[1, 2], size=2)
    assert planned.rows[0].seeds is None or planned.rows[0].cells == planned.rows[0].seeds * 20
    assert list(planned.noise_by_size) == [1, 2]
    typical = power(detect=8)
    assert typical.typical
    assert typical.rows[0].seconds is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arms": 0}, "arms: expected one or more"),
        ({"detect": 0}, "detect: expected differences other than 0"),
        ({"detect": []}, "detect: expected differences other than 0"),
        ({"chance": 1}, "chance: expected a share"),
        ({"workers": 0}, "workers: expected one or more"),
        ({"size": 3}, "size: expected one of"),
        ({"metric": "nll"}, "no typical noise is known for 'nll'"),
    ],
)
def test_power_refuses_what_cannot_be_planned(arguments, message):
    with pytest.raises(UsageError, match=message):
        power(**arguments)


def test_a_pilot_that_is_none_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no store at"):
        power(tmp_path / "nowhere")
    fill(tmp_path / "two", make_study(["mixup"], seeds=2))
    with pytest.raises(UsageError, match="2 seeds of the pilot have every size"):
        power(tmp_path / "two")


def test_the_noise_of_a_stored_study_is_that_of_the_primary_budget_of_the_planned_one(tmp_path):
    fill(tmp_path, make_study(["mixup"], budgets=(500, 2000)))
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    for primary, budget in ((500, "500 steps"), (None, "2,000 steps")):
        study = make_study(["mixup"], budgets=(500, 2000), primary_budget=primary)
        known = stored_noise(tmp_path, study, "accuracy")
        expected_noise = noise_of(result.at(budget))
        np.testing.assert_array_equal(known.noise.covariance, expected_noise.covariance)
    assert stored_noise(tmp_path, make_study(["mixup"], budgets=(500, 900)), "accuracy") is None
