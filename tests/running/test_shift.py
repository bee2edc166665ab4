"""`--shift` from end to end: what is planned, computed, kept and missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from augbench import run
from augbench.api import check_machine, plan
from augbench.errors import OptionError, StudyError, StudyProblems, UnknownNameError, UsageError
from augbench.protocol.shift import is_shift_metric
from augbench.reports.export import to_csv
from augbench.results import StudyResult
from augbench.running.observer import Observer
from augbench.store import Store
from augbench.verifying import recompute

SHIFTING = str(Path(__file__).parents[1] / "support" / "shifting.py")


class Watch(Observer):
    """Remembers what it is told."""

    def __init__(self):
        self.trained, self.lines = [], []

    def finished(self, cell, result):
        self.trained.append(cell.key)

    def noted(self, text):
        self.lines.append(text)

    def waiting(self, text):
        self.lines.append(text)


@pytest.fixture
def options(tiny_options, tmp_path, monkeypatch):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "cache"))
    return replace(tiny_options, seeds=1, plugins=(*tiny_options.plugins, SHIFTING))


def computed(options, **changed):
    watch = Watch()
    return run(replace(options, **changed), observer=watch), watch


def test_cells_without_what_is_asked_are_computed_again_and_keep_what_they_had(options):
    plain, _ = computed(options, test_every=4)
    first, watch = computed(options, shift=("same", "grain"))
    assert len(watch.trained) == len(first.cells)
    assert "corrupting the test images 6 times" in watch.lines
    for before, after in zip(plain.cells, first.cells, strict=True):
        shifted = {n: v for n, v in after.result.metrics.items() if is_shift_metric(n)}
        assert len(shifted) == 6
        # Curves measured on test images, and predictions, are those of the same training.
        assert after.result.curves["finetune"].test_step == (4, 8)
        assert after.result.predicted == before.result.predicted
        assert after.result.metrics["accuracy"] == before.result.metrics["accuracy"]
    _, watch = computed(options, shift=("same", "grain"))
    assert watch.trained == []
    assert not [line for line in watch.lines if "corrupting" in line]
    # A part of what is there is there as well, and asking for none takes nothing away.
    for shift in (("grain",), ("none",), ()):
        some, watch = computed(options, shift=shift)
        assert watch.trained == []
        assert len([n for n in some.cells[0].result.metrics if is_shift_metric(n)]) == 6
    # More is measured, and what was measured before stays.
    more, watch = computed(options, shift=("noise",))
    assert len(watch.trained) == len(more.cells)
    assert len([n for n in more.cells[0].result.metrics if is_shift_metric(n)]) == 9
    assert computed(options, test_every=4)[1].trained == []


def test_the_mean_is_over_what_the_study_asks_for(options):
    both, _ = computed(options, shift=("same", "grain"))
    alone, _ = computed(options, shift=("same",), metric="shift_accuracy")
    for one, other in zip(alone.cells, both.cells, strict=True):
        assert alone.metric_of(one, "shift_accuracy") == one.result.metrics["accuracy"]
        grains = [both.metric_of(other, t.metric) for t in both.shift_tests if t.kind == "grain"]
        same = [other.result.metrics["accuracy"]] * 3
        mean = sum(grains + same) / 6
        assert both.metric_of(other, "shift_accuracy") == pytest.approx(mean)
    head = to_csv(alone).splitlines()[0].split(",")
    assert [name for name in head if "[" in name] == [
        f"accuracy[same:strength={strength}]" for strength in (1, 2, 3)
    ]
    assert "shift_accuracy" in head
    assert alone.metric == "shift_accuracy"


def test_no_key_and_no_description_changes_unless_shift_is_asked_for(options):
    plain, asked = plan(options), plan(replace(options, shift=("grain",)))
    assert [cell.key for cell in plain.cells] == [cell.key for cell in asked.cells]
    assert plan(replace(options, shift=("none",))).study == plain.study
    described = plain.study.to_json()
    assert "shift" not in described
    assert all("operations" not in arm for arm in described["arms"])
    described = asked.study.to_json()
    assert [arm.get("operations") for arm in described["arms"]] == [[], ["mixing"]]
    assert [one["operations"] for one in described["shift"]] == [["noise"]] * 3
    assert plain.wanted.shift == ()
    assert len(asked.wanted.shift) == 3


def test_two_sets_of_corruptions_are_two_studies_of_the_same_cells(options):
    computed(options, shift=("same", "grain"))
    computed(options, shift=("grain",))
    computed(options, shift=("grain", "grain"))
    with Store.read(options.out) as store:
        assert [number for number, *_ in store.studies()] == [1, 2]


def test_numbers_of_code_that_has_changed_since_are_not_taken_for_todays(options, tmp_path):
    plugin = tmp_path / "grit.py"
    text = Path(SHIFTING).read_text().replace('"grain"', '"grit"').replace('"same"', '"still"')
    plugin.write_text(text)
    options = replace(options, plugins=(*options.plugins[:1], str(plugin)), shift=("grit",))
    before, watch = computed(options)
    assert len(watch.trained) == len(before.cells)
    plugin.write_text(text + "\n# only a comment\n")
    assert computed(options)[1].trained == []
    plugin.write_text(text.replace("40 * self.strength", "60 * self.strength"))
    after, watch = computed(options)
    assert len(watch.trained) == len(after.cells)
    assert {one.metric for one in before.shift_tests}.isdisjoint(
        {one.metric for one in after.shift_tests}
    )


def test_engines_and_verify_agree_under_shift(options):
    packed, _ = computed(options, shift=("grain",), engine="packed")
    other = replace(options, out=options.out.with_name("other"), engine="reference")
    alone, _ = computed(other, shift=("grain",))
    for one, two in zip(packed.cells, alone.cells, strict=True):
        for test in packed.shift_tests:
            first, second = (c.result.metrics[test.metric] for c in (one, two))
            assert abs(first - second) <= 1 / 40
    checked = recompute(options.out, None, 1, plan(options).registry)
    assert checked
    assert all(one.agrees and one.same_bits for one in checked)
    assert any(is_shift_metric(name) for name in checked[0].again.metrics)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("broken", r"corruption 'broken:strength=2' failed on the test images of 'tiny-b': "),
        ("deadly", r"corruption 'deadly:strength=1': the process ended with code 9; "),
    ],
)
def test_a_corruption_that_fails_is_one_line_before_anything_trains(options, name, line):
    watch = Watch()
    with pytest.raises(StudyError, match=line) as caught:
        run(replace(options, shift=("same", name)), observer=watch)
    assert "\n" not in str(caught.value)
    assert "leave it out of shift" in str(caught.value)
    assert watch.trained == []
    with pytest.raises(StudyError, match=line):  # a dry run refuses what the run does
        check_machine(plan(replace(options, shift=("same", name))))


def test_what_is_wrong_is_told_in_a_line_each_with_all_other_problems(options):
    with pytest.raises(StudyProblems) as caught:
        plan(replace(options, shift=("grane,nois", "same:x=1"), augmentations=("mixpu",)))
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert any("did you mean 'mixup'" in line for line in lines)
    assert any("unknown corruption 'grane'; did you mean 'grain'?" in line for line in lines)
    assert any("unknown corruption 'nois'; did you mean 'noise'?" in line for line in lines)
    with pytest.raises(OptionError, match="stands alone"):
        replace(options, shift=("none", "noise"))
    with pytest.raises(OptionError, match="'shift_accuracy' needs measurements under shift: give"):
        replace(options, metric="shift_accuracy")
    with pytest.raises(UnknownNameError, match="did you mean 'standard'"):
        plan(replace(options, shift=("standart",)))


def test_a_study_without_shift_cannot_be_read_by_it(options):
    result, _ = computed(options)
    with pytest.raises(UsageError, match="study 1 was not measured under shift") as caught:
        StudyResult(result.stored, metric="shift_accuracy")
    assert "\n" not in str(caught.value)
