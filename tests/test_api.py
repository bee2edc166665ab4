import sys
from dataclasses import replace

import numpy as np
import pytest

import augbench
from augbench.api import Observer, execute, plan
from augbench.errors import (
    DatasetError,
    OptionError,
    ParameterError,
    StudyError,
    UnknownNameError,
    UsageError,
)


class Recording(Observer):
    def __init__(self):
        self.stored, self.steps, self.results = {}, 0, []

    def planned(self, plan, stored):
        self.stored = dict(stored)

    def progressed(self, steps):
        self.steps += steps

    def finished(self, cell, result):
        self.results.append(result)


def test_a_study_computes_every_cell_once_and_a_second_run_none(tiny_options):
    first = Recording()
    result = execute(plan(tiny_options), first)
    assert len(first.results) == 2 * 2 * 2
    assert first.steps == len(first.results) * 16
    assert not result.failed
    assert not result.missing
    second = Recording()
    again = execute(plan(tiny_options), second)
    assert second.results == []
    assert len(second.stored) == 8
    assert again.table() == result.table()


def test_an_interrupted_study_goes_on_to_the_same_bits(tiny_options, tmp_path):
    class Interrupting(Recording):
        def progressed(self, steps):
            if self.results:
                raise KeyboardInterrupt

    options = replace(tiny_options, seeds=40, samples_per_class=(4,))
    interrupted = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        execute(plan(options), interrupted)
    assert 0 < len(interrupted.results) < 80
    rest = Recording()
    resumed = execute(plan(options), rest)
    assert len(rest.results) == 80 - len(interrupted.results)
    whole = execute(plan(replace(options, out=tmp_path / "whole")))
    for ours, theirs in zip(resumed.cells, whole.cells, strict=True):
        assert ours.result.metrics["nll"] == theirs.result.metrics["nll"]
        assert ours.result.correct == theirs.result.correct


def test_a_larger_study_computes_only_what_it_adds(tiny_options):
    execute(plan(tiny_options))
    watching = Recording()
    execute(plan(replace(tiny_options, seeds=3, samples_per_class=(1, 2, 4))), watching)
    assert len(watching.results) == 2 * 3 * 3 - 2 * 2 * 2


def test_worker_processes_give_what_one_process_gives(tiny_options, tmp_path):
    one = execute(plan(tiny_options))
    two = execute(plan(replace(tiny_options, workers=2, out=tmp_path / "two")))
    pair = one.pairs[0]
    for label in one.augmentations:
        np.testing.assert_allclose(
            one.values(pair, label, metric="nll"), two.values(pair, label, metric="nll"), atol=1e-4
        )


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_cell_that_fails_is_stored_with_its_error_and_the_others_go_on(tiny_options, engine):
    options = replace(tiny_options, augmentations=("breaks", "mixup"), engine=engine)
    result = execute(plan(options))
    assert {cell.augmentation for cell in result.failed} == {"breaks"}
    assert len(result.failed) == 4
    assert result.failed[0].result.error == "RuntimeError: the chain came off"
    assert "in __call__" in result.failed[0].result.traceback
    assert np.isfinite(result.values(result.pairs[0], "mixup")).all()
    retried = Recording()
    execute(plan(options), retried)
    assert len(retried.results) == 4


def test_a_worker_that_dies_costs_its_own_cells_only(tiny_options):
    options = replace(
        tiny_options,
        augmentations=("dies",),
        samples_per_class=(4,),
        seeds=1,
        workers=1,
        engine="reference",
    )
    result = execute(plan(options))
    assert {cell.augmentation for cell in result.failed} == {"dies"}
    assert "ended with code 9" in result.failed[0].result.error
    assert np.isfinite(result.values(result.pairs[0], "none")).all()


def test_a_diverged_training_is_a_failed_cell(tiny_options):
    result = execute(plan(replace(tiny_options, learning_rate=1e30)))
    assert len(result.failed) == len(result.cells)
    assert "smaller learning_rate" in result.failed[0].result.error


def test_several_pairs_share_their_pretrainings(tiny_options):
    options = replace(tiny_options, finetune_datasets=("tiny-b", "tiny-a"))
    planned = plan(options)
    assert len(planned.cells) == 16
    assert len({cell.pretrain_key for cell in planned.cells}) == 8
    result = execute(planned)
    assert result.pairs == (("tiny-a", "tiny-b"), ("tiny-a", "tiny-a"))
    alone = execute(plan(replace(tiny_options, out=tiny_options.out / "alone")))
    pair = alone.pairs[0]
    for label in alone.augmentations:
        np.testing.assert_allclose(
            result.values(pair, label, metric="nll"),
            alone.values(pair, label, metric="nll"),
            atol=1e-4,
        )


def test_references_and_ruler_are_cells_of_the_baseline_alone(tiny_options):
    options = replace(tiny_options, references=True, ruler_sizes=(4, 8))
    result = execute(plan(options))
    extra = [c for c in result.cells if c.samples_per_class not in (1, 4)]
    assert {c.augmentation for c in extra} == {"none"}
    assert {c.samples_per_class for c in extra} == {0, 8, None}
    assert not result.failed
    assert result.ruler_sizes == (8,)
    analysis = result.analysis(result.pairs[0])
    assert analysis.references.floor.n == 2


def test_the_baseline_can_be_left_out_and_is_not_doubled(tiny_options):
    assert {c.arm.label for c in plan(replace(tiny_options, baseline=False)).cells} == {"mixup"}
    doubled = replace(tiny_options, augmentations=("none", "mixup", "mixup:alpha=0.3"))
    assert len(plan(doubled).cells) == 8


def test_a_plan_makes_each_augmentation_once(tiny_options, tmp_path):
    plugin = tmp_path / "counted.py"
    plugin.write_text(
        "from augbench import hookimpl\n"
        "made = []\n\n"
        "class Counted:\n"
        "    sources = 1\n"
        "    def __init__(self, strength: float = 1.0):\n"
        "        made.append(strength)\n"
        "    def __call__(self, x, *, rng):\n"
        "        return x\n\n"
        "@hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('counted', Counted)\n"
    )
    specs = ("counted", "counted:strength=2", "counted:strength=3")
    planned = plan(
        replace(tiny_options, augmentations=specs, plugins=(*tiny_options.plugins, str(plugin)))
    )
    (component,) = planned.study.arms[1].pipeline.components
    first, second = planned.registry.create(component), planned.registry.create(component)
    made = sys.modules[type(first).__module__].made
    assert made == [1.0, 2.0, 3.0, 1.0, 1.0]  # once each by the plan, and twice here
    assert first is not second


@pytest.mark.usefixtures("only_built_in")
def test_all_stands_for_everything_installed(tiny_options):
    planned = plan(replace(tiny_options, augmentations=("all",)))
    labels = [arm.label for arm in planned.study.arms]
    assert labels[0] == "none"
    assert {"collage", "mixup", "breaks"} < set(labels)
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"samples_per_class": (0,)}, OptionError, "expected whole numbers of 1 or more"),
        ({"samples_per_class": (1, 21)}, StudyError, "largest size that works is 20"),
        ({"ruler_sizes": (32,)}, StudyError, "largest size that works is 20"),
        ({"seeds": 0}, OptionError, "seeds: expected a whole number of 1 or more, got 0"),
        ({"augmentations": ("mixpu",)}, UnknownNameError, "did you mean 'mixup'"),
        ({"augmentations": ("mixup:alfa=1",)}, ParameterError, "alpha"),
        ({"augmentations": ("mixup:alpha=-1",)}, ParameterError, "above 0"),
        ({"augmentations": ("mixup:alpha=much",)}, ParameterError, "much"),
        ({"backbone": "resnot"}, UnknownNameError, "convnet"),
        ({"pretrain_datasets": ("minst",)}, UnknownNameError, "did you mean"),
        ({"pretrain_datasets": ("mnist",), "data_root": "nowhere"}, DatasetError, "nowhere"),
        ({"finetune_datasets": ("wide",)}, StudyError, "1×16×32"),
        ({"engine": "steam"}, OptionError, "engine: expected one of auto"),
        ({"baseline": False, "augmentations": ()}, StudyError, "nothing to compare"),
        ({"batch_size": 1}, StudyError, "batch_size=2 or more"),
        ({"batch_size": 0}, OptionError, "batch_size: expected a whole number of 1 or more"),
        ({"pretrain_steps": 0}, OptionError, "pretrain_steps"),
        ({"learning_rate": float("nan")}, OptionError, "learning_rate"),
        (
            {"finetune_samples_per_class": 21},
            StudyError,
            "finetune_samples_per_class=21 .* largest size that works is 20",
        ),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_before_anything_trains(
    tiny_options, tmp_path, changes, error, message
):
    if "data_root" in changes:
        changes = {**changes, "data_root": tmp_path / changes["data_root"]}
    with pytest.raises(error, match=message) as caught:
        plan(replace(tiny_options, **changes))
    assert "\n" not in str(caught.value)
    assert not tiny_options.out.exists()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "convnet:dropout=2"}, "'convnet:dropout=2.0' cannot be made .* dropout"),
        ({"device": "warp"}, "device='warp' cannot be used here"),
    ],
)
def test_what_only_torch_can_tell_is_one_clear_line_too(tiny_options, workers, changes, message):
    with pytest.raises(
        StudyError if "backbone" in changes else UsageError, match=message
    ) as caught:
        execute(plan(replace(tiny_options, workers=workers, **changes)))
    assert "\n" not in str(caught.value)


def test_run_takes_names_and_settings_as_keywords(tiny_options):
    result = augbench.run(
        "mixup",
        pretrain_datasets="tiny-a",
        finetune_datasets="tiny-b",
        samples_per_class=4,
        seeds=2,
        batch_size=4,
        pretrain_steps=4,
        finetune_steps=4,
        finetune_samples_per_class=5,
        workers=0,
        out=str(tiny_options.out),
        plugins=tiny_options.plugins,
    )
    assert [row["augmentation"] for row in result.table()] == ["none", "mixup"]
    frame = result.to_pandas()
    assert list(frame["n"]) == [2, 2]
    with pytest.raises(StudyError, match="unknown option 'sedes'"):
        augbench.run("mixup", sedes=3)


def test_the_public_names_are_these():
    assert augbench.__all__ == [
        "AugbenchError",
        "Augmentation",
        "BackboneFactory",
        "Dataset",
        "DatasetFactory",
        "Observer",
        "Options",
        "Register",
        "Settings",
        "StudyResult",
        "StudyWarning",
        "UsageError",
        "hookimpl",
        "power",
        "run",
    ]
    for name in augbench.__all__:
        assert getattr(augbench, name) is not None
    assert set(augbench.__all__) <= set(dir(augbench))
    with pytest.raises(AttributeError):
        _ = augbench.nothing
    assert "augbench" in sys.modules
