"""A tuned study: trials of every arm, a choice without test images, results of what it chose."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import augbench
from augbench.api import Observer, execute, plan
from augbench.batching.materials import CellMaterials, Labelled
from augbench.errors import StudyProblems, UsageError
from augbench.protocol.study import FIRST_TUNING_SEED
from augbench.results import StudyResult, View
from augbench.store import Store, merge
from augbench.store._studies import plan_checksum, plan_of
from augbench.tuning.search import place_of
from augbench.verifying import rebuilt, recompute


@pytest.fixture
def options(tiny_options):
    return replace(
        tiny_options,
        pretrain_datasets=("tiny-b",),  # D_P = D_F, so that all readouts can judge
        samples_per_class=(1, 2),
        tune=("lr=0.001..1 log", "own"),
        trials=4,
        calibration_samples_per_class=2,
        validation_samples_per_class=3,
    )


class Watching(Observer):
    def __init__(self):
        self.results, self.tuned = [], None

    def chosen(self, cells, stored):
        self.tuned = list(cells)

    def finished(self, cell, result):
        self.results.append((cell, result))


def _run(options, observer=None):
    return execute(plan(options), observer or Watching())


def _numbers(result):
    return {
        (cell.augmentation, cell.readout, cell.samples_per_class, cell.seed): cell.trial
        for cell in result.cells
        if cell.role == "tuned"
    }


def test_every_arm_and_size_has_the_same_trials_on_seeds_that_are_never_reported(options):
    planned = plan(options)
    trials = [cell for cell in planned.cells if cell.trial is not None]
    assert len(trials) == 2 * 2 * 4 * 2  # arms, sizes, trials, tuning seeds
    assert {cell.seed for cell in trials} == {FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1}
    rates = {}
    for cell in trials:
        place = (cell.arm.label, cell.samples_per_class, cell.seed)
        rates.setdefault(place, []).append(cell.settings.learning_rate)
    assert len(set(map(tuple, rates.values()))) == 1  # spaces agree, and so do points
    first, *others = next(iter(rates.values()))
    assert first == options.learning_rate
    assert all(0.001 <= rate <= 1 for rate in others)
    assert len(set(others)) == 3
    alphas = {cell.pipeline.label for cell in trials if cell.arm.label == "mixup"}
    assert len(alphas) == 4


def test_a_tuned_study_holds_defaults_tuned_results_and_trials_apart(options):
    watching = Watching()
    result = _run(options, watching)
    assert result.views == (View("linear", None, True), View("linear"))
    assert not result.failed
    assert not result.missing
    assert len(result.cells) == 2 * 2 * 2 * 2
    assert len(result.trials) == 32
    assert {cell.key for cell, _ in watching.results} == {c.key for c in result.all_cells}
    untuned = _run(replace(options, tune=(), out=options.out.parent / "plain"))
    default = result.at(view=View("linear"))
    # A study's own results are those of the study without tuning, to the bit.
    assert default.values(("tiny-b", "tiny-b"), "mixup").tolist() == (
        untuned.values(("tiny-b", "tiny-b"), "mixup").tolist()
    )
    rows = result.cell_rows()
    assert len(rows) == 16
    assert {row["tuned"] for row in rows} == {True, False}


def test_the_choice_is_the_best_mean_over_the_tuning_seeds(options):
    result = _run(options)
    for label in ("none", "mixup"):
        for size in (1, 2):
            scores = np.full((2, 4), np.nan)
            for one in result.trials:
                if (one.augmentation, one.samples_per_class) == (label, size):
                    accuracy = one.result.metrics["accuracy"]
                    scores[one.seed - FIRST_TUNING_SEED, one.trial] = accuracy
            chosen = {n for key, n in _numbers(result).items() if key[::2] == (label, size)}
            assert chosen == {int(scores.mean(0).argmax())}


def test_permuted_test_labels_change_no_choice(options, monkeypatch):
    options = replace(options, readouts=("linear", "own-head", "knn", "full"), full_steps=8)
    before = _numbers(_run(options))
    test_set = CellMaterials.test_set

    def permuted(self, info):
        whole = test_set(self, info)
        return Labelled(whole.images, whole.labels.roll(7))

    monkeypatch.setattr(CellMaterials, "test_set", permuted)
    other = replace(options, out=options.out.parent / "permuted")
    assert _numbers(_run(other)) == before


def test_an_interrupted_search_goes_on_to_the_same_choices_and_bits(options):
    class Interrupting(Watching):
        def finished(self, cell, result):
            super().finished(cell, result)
            if len(self.results) == self.after:
                raise KeyboardInterrupt

    whole = _run(replace(options, out=options.out.parent / "whole"))
    computed = []
    for after in (9, 15, 11, 1):
        interrupted = Interrupting()
        interrupted.after = after
        with pytest.raises(KeyboardInterrupt):
            _run(options, interrupted)
        computed += [cell.key for cell, _ in interrupted.results]
    rest = Watching()
    resumed = _run(options, rest)
    computed += [cell.key for cell, _ in rest.results]
    assert len(computed) == len(set(computed))
    assert _numbers(resumed) == _numbers(whole)
    for one, other in zip(resumed.all_cells, whole.all_cells, strict=True):
        assert (one.key, one.result.metrics["accuracy"]) == (
            other.key,
            other.result.metrics["accuracy"],
        )
    again = Watching()
    assert _run(options, again).stored.id == resumed.stored.id
    assert again.results == []


def test_tuning_within_seeds_chooses_for_every_seed_and_shares_its_pretraining(options):
    options = replace(options, tune_within_seeds=True, seeds=3)
    planned = plan(options)
    trials = [cell for cell in planned.cells if cell.trial is not None]
    assert {cell.seed for cell in trials} == {0, 1, 2}
    results = {cell.pretrain_key for cell in planned.cells if cell.trial is None}
    assert {cell.pretrain_key for cell in trials if cell.trial.number == 0} == results
    watching = Watching()
    result = _run(options, watching)
    assert result.stored.description["tuning"]["seeds"] is None
    search = planned.study.search
    scores = {cell.key: done.metrics["accuracy"] for cell, done in watching.results if cell.trial}
    for cell in watching.tuned:
        own = [one for one in trials if place_of(one, within=True) == place_of(cell, within=True)]
        assert {one.seed for one in own} == {cell.seed}
        assert cell.chosen == int(np.argmax([scores[one.key] for one in own]))
    assert [one.key for one in search.tuned_cells(planned.study, scores)] == [
        one.key for one in watching.tuned
    ]


def test_the_pretraining_head_is_chosen_by_folds_and_one_image_takes_the_next_size(options):
    options = replace(options, readouts=("own-head",), finetune_datasets=("none",))
    result = _run(options)
    folds = {(cell.samples_per_class, cell.fold) for cell in result.trials}
    assert folds == {(2, 0), (2, 1)}  # one image of each class makes no folds
    numbers = _numbers(result)
    for (label, readout, _, seed), number in numbers.items():
        assert numbers[label, readout, 2, seed] == number
    assert {cell.samples_per_class for cell in result.cells if cell.role == "tuned"} == {1, 2}


def test_a_trial_that_diverges_is_at_chance_and_the_study_is_whole(options):
    result = _run(replace(options, tune=("lr=1..1e30 log",)))
    diverged = [one for one in result.trials if "diverged" in one.result.metrics]
    assert diverged
    assert not result.failed
    assert {one.result.metrics["accuracy"] for one in diverged} == {1 / 4}


def test_a_trial_that_fails_is_passed_over_and_told(options, tmp_path):
    plugin = tmp_path / "moody.py"
    plugin.write_text(
        "import augbench\n"
        "class Moody:\n"
        "    sources = 1\n"
        "    search_space = {'level': (0.0, 1.0)}\n"
        "    def __init__(self, level: float = 0.0):\n"
        "        self.level = level\n"
        "    def __call__(self, x, *, rng):\n"
        "        if self.level > 0.5:\n"
        "            raise RuntimeError('too much')\n"
        "        return x\n"
        "@augbench.hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('moody', Moody)\n"
    )
    options = replace(
        options, augmentations=("moody",), tune=("own",), plugins=(*options.plugins, str(plugin))
    )
    result = _run(options)
    failed = result.failed
    assert failed
    assert {cell.role for cell in failed} == {"trial"}
    assert all("too much" in cell.result.error for cell in failed)
    values = result.stored.description["tuning"]["values"]["moody"]
    for (label, *_), number in _numbers(result).items():
        if label == "moody":
            assert values[number].get("moody.level", 0) <= 0.5


def test_stores_of_a_tuned_study_merge_whichever_had_chosen_first(options, tmp_path):
    _run(options)
    early = tmp_path / "early"
    shutil.copytree(options.out, early)
    with Store.open(early) as store, store.connection(write=True) as database:
        database.execute("DELETE FROM plans WHERE role = 'tuned'")
        left = plan_checksum(plan_of(database, 1))
        database.execute("UPDATE studies SET plan_checksum = ?", (left,))
    for number, order in enumerate(([options.out, early], [early, options.out])):
        merge(order, tmp_path / f"both{number}")
        with Store.read(tmp_path / f"both{number}") as store:
            result = StudyResult(store.study())
        assert result.views[0].tuned
        assert not result.missing


def test_trials_and_tuned_cells_are_rebuilt_and_train_to_the_same_bits(options):
    result = _run(options)
    planned = plan(options)
    cells, _ = rebuilt(result.stored, planned.registry)
    assert {cell.key for cell in result.all_cells} <= set(cells)
    found = recompute(options.out, None, 3, planned.registry)
    assert found
    assert all(one.same_bits for one in found)


def test_arms_with_bases_sizes_and_budgets_of_their_own_are_rebuilt(options):
    options = replace(
        options,
        base="crop-flip:padding=1",
        arms=(
            "name=bare aug=crop-flip:padding=2 base=none",
            "name=two aug=crop-flip:padding=3+mixup|mixup:alpha=1",
            "name=own aug=mixup pretrain_steps=8 finetune_samples_per_class=5",
        ),
        augmentations=(),
        samples_per_class=(2,),
        pretrain_steps=(4, 8),
        finetune_samples_per_class=(2, 5),
        seeds=1,
        tuning_seeds=1,
        trials=2,
        tune=("own", "crop-flip.padding=1..4", "mixup.alpha#2=1..3", "momentum"),
    )
    result = _run(options)
    assert not result.failed
    cells, _ = rebuilt(result.stored, plan(options).registry)
    assert {cell.key for cell in result.all_cells} <= set(cells)
    tuning = result.tuning
    defaults = {
        arm: {one.name: tuning.default(arm, one.name) for one in tuning.spaces(arm)}
        for arm in result.augmentations
    }
    alphas = {"mixup.alpha": 0.3, "mixup.alpha#2": 1}
    assert defaults == {
        "none": {"momentum": 0},
        "bare": {"momentum": 0, "crop-flip.padding": 2},
        "two": {"momentum": 0, "crop-flip.padding": 3, **alphas},
        "own": {"momentum": 0, "mixup.alpha": 0.3},
    }
    images = {
        (row["augmentation"], row["finetune_samples_per_class"]) for row in result.cell_rows()
    }
    assert images == {*((arm, n) for arm in ("none", "bare", "two") for n in (2, 5)), ("own", 5)}


def test_a_merged_plan_is_that_of_the_store_whose_trials_chose_more(options, tmp_path):
    _run(options)
    fewer = tmp_path / "fewer"
    shutil.copytree(options.out, fewer)
    with Store.open(fewer) as store, store.connection(write=True) as database:
        database.execute(
            "DELETE FROM plans WHERE position IN "
            "(SELECT position FROM plans WHERE role = 'tuned' ORDER BY position LIMIT 2)"
        )
        lines = database.execute("SELECT position FROM plans ORDER BY position").fetchall()
        for number, (position,) in enumerate(lines):
            database.execute("UPDATE plans SET position = ? WHERE position = ?", (number, position))
        left = plan_checksum(plan_of(database, 1))
        database.execute("UPDATE studies SET plan_checksum = ?", (left,))
    for number, order in enumerate(([options.out, fewer], [fewer, options.out])):
        merge(order, tmp_path / f"merged{number}")
        with Store.read(tmp_path / f"merged{number}") as store:
            assert len(_numbers(StudyResult(store.study()))) == 2 * 2 * 2


def test_a_search_does_not_change_what_an_untuned_study_is_known_by(options):
    planned = plan(replace(options, tune=()))
    assert "tuning" not in planned.study.to_json()
    described = json.dumps(plan(options).study.to_json()["tuning"])
    assert json.loads(described)["trials"] == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tune": "learning"}, "'learning' cannot be tuned"),
        ({"tune": "lr,finetune_lr,full_lr"}, "full-lr is of the readout 'full', which the study"),
        ({"tune": "mixup.alpha", "augmentations": ()}, "parameter 'mixup.alpha' (no arm has any)"),
        ({"tune": "momentum", "optimizer": "adamw"}, "; or tune no momentum"),
        ({"shift": "noise, none"}, "shift='none' stands alone"),
        ({"augmentations": "tiny-a"}, "('tiny-a' is a data set)"),
        ({"backbone": "mixup"}, "('mixup' is an augmentation)"),
        ({"tune": "lr=1..1"}, "expected a range from a lower to a higher number"),
        ({"tune": "lr=0..1 log"}, "begins above 0"),
        ({"tune": "momentum=0.5..1.5"}, "expected a number"),
        ({"tune": "own", "augmentations": ("collage",)}, "'own' finds nothing"),
        ({"tune": "lr", "finetune_samples_per_class": 18}, "no image of some class left"),
        (
            {"tune": "lr", "samples_per_class": 3, "finetune_samples_per_class": 18},
            "give a smaller samples_per_class than 3, finetune_samples_per_class than 18, or",
        ),
        (
            {"tune": "lr", "samples_per_class": 20},
            "give a smaller samples_per_class than 20, which takes all images of some class",
        ),
        (
            {"tune": "lr", "arms": "name=all aug=none finetune_samples_per_class=21"},
            "arm 'all': finetune_samples_per_class=21 is more than",
        ),
        (
            {
                "tune": "lr",
                "samples_per_class": 1,
                "readouts": "own-head",
                "finetune_datasets": "none",
            },
            "one image of each class cannot be parted",
        ),
    ],
)
def test_what_cannot_be_tuned_is_one_line(tiny_options, given, message):
    base = {name: getattr(tiny_options, name) for name in ("plugins", "out", "batch_size")}
    base |= {"pretrain_datasets": "tiny-b", "finetune_datasets": "tiny-b", "samples_per_class": 1}
    base |= {"finetune_samples_per_class": 5, "calibration_samples_per_class": 2}
    with pytest.raises(UsageError) as caught:
        augbench.api.plan(**{**base, **given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fold_leaves_a_whole_batch_or_the_study_is_refused(options, tmp_path):
    plugin = tmp_path / "four.py"
    plugin.write_text(
        "import augbench\n"
        "class Four:\n"
        "    sources = 4\n"
        "    def __call__(self, a, b, c, d, *, rng):\n"
        "        return (a + b + c + d) / 4\n"
        "@augbench.hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('four', Four)\n"
    )
    options = replace(
        options,
        augmentations=("four",),
        pretrain_datasets=("tiny-a",),  # three classes: 6 images, and 3 without their fold
        finetune_datasets=("none",),
        readouts=("own-head",),
        samples_per_class=(2, 3),
        plugins=(*options.plugins, str(plugin)),
    )
    with pytest.raises(UsageError, match="'four' needs 4 in a batch; leave 2 out of"):
        plan(replace(options, tune=("lr",)))
    plan(replace(options, tune=("lr",), samples_per_class=(3,)))
    plan(replace(options, tune=()))


def test_all_that_is_wrong_with_a_search_is_told_at_once(tiny_options):
    def told(**wrong):
        with pytest.raises(StudyProblems) as caught:
            plan(replace(tiny_options, calibration_samples_per_class=2, **wrong))
        return sorted(str(caught.value).splitlines())

    speed, bounds, augmentation = told(tune=("lr=1..1, speed", "own"), augmentations="mixpu")
    assert "did you mean 'mixup'" in augmentation
    assert "'speed' cannot be tuned" in speed
    assert "expected a range from a lower to a higher number" in bounds
    sizes, readout, left = told(
        tune="lr",
        readouts=("linear", "own-head"),  # of tiny-a, on tiny-b
        finetune_samples_per_class=(2, 18, 400),
    )
    assert "is more than 'tiny-b' holds" in sizes
    assert "the pretraining head knows the classes of" in readout
    assert "no image of some class left" in left


def test_options_that_others_leave_without_effect_are_told(options):
    planned = plan(
        replace(options, tune=(), trials=5, tune_within_seeds=True, baseline=None, references=True)
    )
    assert [line for line in planned.warnings if "no effect" in line] == [
        "trials has no effect: nothing is tuned without tune",
        "tune_within_seeds=True has no effect: nothing is tuned without tune",
        "validation_samples_per_class has no effect: nothing is tuned without tune",
        "references=True has no effect: the study has no baseline, which it is of",
    ]
    planned = plan(replace(options, tuning_seeds=3, tune_within_seeds=True))
    (line,) = [line for line in planned.warnings if "no effect" in line]
    assert line.startswith("tuning_seeds has no effect: by tune_within_seeds=True, the seeds")
    assert not any("no effect" in line for line in plan(options).warnings)


def test_settings_of_readouts_that_a_study_lacks_are_told(tiny_options):
    def told(**given):
        planned = plan(replace(tiny_options, **given))
        return [line for line in planned.warnings if "no effect" in line]

    lacking = "which the study lacks"
    assert told(knn_neighbours=3, full_momentum=0.9) == [
        f"knn_neighbours has no effect: it is of readouts='knn', {lacking}",
        f"full_momentum has no effect: it is of readouts='full', {lacking}",
    ]
    assert not told(knn_neighbours=3, readouts=("linear", "knn"))
    assert not told(recipe="standard")  # which sets what full finetuning would take
    (line,) = told(workers=2, executor="processes")
    assert line.startswith("workers has no effect: executor='processes' has workers of its own")
    (line,) = told(workers=0, cell_timeout=9)
    assert line.startswith("cell_timeout has no effect: workers=0 trains in this process")


def test_tests_during_training_that_never_come_are_told(tiny_options):
    def told(**given):
        planned = plan(replace(tiny_options, **given))
        return [line for line in planned.warnings if "during training" in line]

    assert told(test_every=500, pretrain_steps=300, finetune_steps=300) == [
        "tests during training come every 500 steps, and pretraining takes 300 and finetuning "
        "takes 300: nothing is measured; test_every=30 measures 10 times"
    ]
    (line,) = told(test_every=500, pretrain_steps=300, finetune_steps=2000)
    assert "pretraining takes 300: pretraining is not measured" in line
    assert not told(test_every=30, pretrain_steps=300, finetune_steps=2000)
    assert not told(pretrain_steps=300)


def test_too_few_validation_images_are_used_as_they_are_with_a_warning(options):
    planned = plan(replace(options, validation_samples_per_class=30))
    (line,) = [line for line in planned.warnings if "validation" in line]
    assert "not 30" in line
    counts = {cell.trial.validation_samples_per_class for cell in planned.cells if cell.trial}
    assert len(counts) == 1
    assert 0 < min(counts) < 30
