"""A study is registered before it is computed, and its report says where it departed from that."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from augbench.api import plan, run
from augbench.errors import StoreError, UsageError
from augbench.registration import deviations, register, registered_line, registration_of


@pytest.fixture
def study(tiny_options, tmp_path):
    """Options of a tiny study, and its file."""
    options = replace(
        tiny_options,
        augmentations=("mixup",),
        seeds=2,
        samples_per_class=(1, 2),
        out=tmp_path / "out",
    )
    file = tmp_path / "study.toml"
    options.to_file(file)
    return options, file


def test_a_study_that_was_computed_as_registered_has_no_deviation(study):
    options, file = study
    made, path = register(plan(options), file)
    assert path.parent == options.out
    assert len(made.cells) == 8
    assert "each arm minus none" in made.endpoint
    assert "1 arms" not in made.family
    result = run(options)
    assert registration_of(result, options.out) == made
    assert deviations(made, result) == ()
    assert registered_line(result, options.out) == f"registered on {made.day}, no deviations"


def test_a_named_primary_budget_is_registered_and_another_is_a_deviation(study):
    options, _ = study
    budgets = replace(options, pretrain_steps=(4, 8), primary_budget=4)
    file = options.out.with_name("budgets.toml")
    budgets.to_file(file)
    made, _ = register(plan(budgets), file)
    assert ", 4 steps, readout linear" in made.endpoint
    result = run(budgets)
    assert deviations(made, result) == ()
    told = deviations(made, run(replace(budgets, primary_budget=None)))
    assert told == ('primary_budget is nothing, registered "4 steps"',)
    assert "this is not the study's primary condition, which is registered" in deviations(
        made, result.at("8 steps")
    )


def test_every_deviation_is_listed(study):
    options, file = study
    made, _ = register(plan(options), file)
    result = run(replace(options, seeds=3, augmentations=("mixup", "collage"), learning_rate=0.02))
    assert registration_of(result, options.out) is None  # no cell in common: another study
    told = "; ".join(deviations(made, result))
    assert "8 of 8 registered cells have no result in this study" in told
    assert "18 cells were not registered" in told
    assert "with, unregistered, collage" in told
    assert "seeds is 3, registered 2" in told
    more = run(replace(options, seeds=3))
    told = registered_line(more, options.out)
    assert told == (
        f"registered on {made.day}, deviations: 4 cells were not registered; "
        "seeds is 3, registered 2"
    )


def test_a_chosen_default_does_not_hide_that_its_cell_was_not_registered(study):
    options, _ = study
    # The first trial is the default, and no rate of the second learns anything.
    tuned = replace(
        options,
        tune=("lr=1e-9..2e-9 log",),
        trials=2,
        finetune_samples_per_class=3,
        calibration_samples_per_class=2,
        validation_samples_per_class=3,
    )
    file = options.out.with_name("tuned.toml")
    tuned.to_file(file)
    made, _ = register(plan(tuned), file)
    assert deviations(made, run(tuned)) == ()
    more = run(replace(tuned, seeds=3))
    keys = {role: {c.key for c in more.all_cells if c.role == role} for role in ("result", "tuned")}
    assert keys["tuned"] & keys["result"]
    assert deviations(made, more) == ("4 cells were not registered", "seeds is 3, registered 2")


def test_of_lists_what_is_missing_and_what_came_are_told(study):
    options, _ = study
    planned = replace(options, samples_per_class=(1, 2), pretrain_steps=(2, 4))
    file = options.out.with_name("lists.toml")
    planned.to_file(file)
    made, _ = register(plan(planned), file)
    result = run(replace(planned, samples_per_class=(1,), pretrain_steps=(2, 4, 6)))
    told = deviations(made, result)
    assert "samples_per_class without 2" in told
    assert 'budgets with, unregistered, "6 steps"' in told


def test_another_metric_and_fewer_cells_are_deviations(study):
    options, file = study
    made, _ = register(plan(options), file)
    result = run(replace(options, seeds=1)).about("nll")
    assert deviations(made, result) == (
        "4 of 8 registered cells have no result in this study",
        "this is about nll, and accuracy is registered",
        "seeds is 1, registered 2",
    )


def test_results_that_are_older_than_the_registration_are_told(study):
    options, file = study
    made, _ = register(plan(options), file)
    result = run(options)
    later = replace(made, registered_at="2999-01-01T00:00:00+00:00")
    assert deviations(later, result) == ("8 results are older than the registration",)


def test_nothing_is_registered_once_anything_is_computed(study):
    options, file = study
    run(replace(options, seeds=1))
    with pytest.raises(UsageError, match="4 of the study's 8 cells have a result in"):
        register(plan(options), file)


def test_a_study_is_registered_once_and_needs_a_comparison(study):
    options, file = study
    register(plan(options), file)
    with pytest.raises(UsageError, match="is registered already"):
        register(plan(options), file)
    alone = replace(options, augmentations=("none",), out=options.out / "other")
    with pytest.raises(UsageError, match="has no baseline and arm to compare"):
        register(plan(alone), file)


def test_a_damaged_registration_is_an_error_in_one_line(study):
    options, file = study
    _, path = register(plan(options), file)
    result = run(options)
    path.write_text("{")
    with pytest.raises(
        StoreError, match="expected a registration as `augbench register` writes"
    ) as e:
        registered_line(result, options.out)
    assert "\n" not in str(e.value)


def test_on_the_command_line_a_report_says_it(augbench, study):
    options, file = study
    code, printed, errors = augbench("register", file)
    assert (code, errors) == (0, "")
    assert printed.startswith(f"registered {file} in ")
    assert "8 cells, 2 seeds; SHA-256 " in printed
    code, printed, _ = augbench("run", file, "--no-figures")
    assert code == 0
    assert "no deviations" in printed
    code, printed, _ = augbench("report", "--out", options.out, "--no-figures", "--full")
    assert ", no deviations\n" in printed
    (path,) = options.out.glob("registration-*.json")
    assert json.loads(path.read_text())["seeds"] == 2
    code, _, errors = augbench("register", file)
    assert (code, errors.count("\n")) == (2, 1)
