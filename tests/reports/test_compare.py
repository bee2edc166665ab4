import json
from dataclasses import replace

import pytest
from synthetic import ENVIRONMENT, dataset, fill, make_study

from augbench.protocol.study import Settings
from augbench.reports.compare import compare
from augbench.results import StudyResult
from augbench.statistics import paired_difference
from augbench.store import Store

PAIR = ("digits", "letters")


@pytest.fixture
def read(tmp_path):
    """Fill a store and read its study."""

    def make(name, study, **options):
        fill(tmp_path / name, study, **options)
        with Store.read(tmp_path / name) as store:
            return StudyResult(store.study())

    return make


def test_a_study_is_the_same_as_itself(read):
    study = read("a", make_study(seeds=3))
    found = compare(study, study)
    assert found.settings == found.environments == found.disagree == ()
    assert (found.same_keys, found.only_first, found.only_second) == (24, 0, 0)
    assert all(row.difference.mean == 0 for row in found.rows)


def test_a_budget_that_both_have_is_compared_at_whatever_is_primary(read):
    first = read("a", make_study(seeds=3, budgets=(500, 2000), primary_budget=500))
    second = read("b", make_study(seeds=3, budgets=(500, 2000)))
    assert all(row.difference.mean == 0 for row in compare(first, second).rows)
    assert ("primary_budget", "500 steps", "–") in compare(first, second).settings


def test_what_differs_is_listed_and_the_rest_is_not(read):
    first = read("a", make_study(["mixup"], seeds=3))
    second = read(
        "b",
        make_study(["mixup", "collage"], seeds=2, settings=Settings(pretrain_steps=7)),
        environment={**ENVIRONMENT, "torch": "9"},
    )
    found = compare(first, second)
    assert set(found.settings) == {
        ("arms.collage", "–", "yes"),
        ("seeds", "3", "2"),
        ("pretraining steps", "2000", "7"),
    }
    assert found.environments == (("torch", ENVIRONMENT["torch"], "9"),)
    assert (found.same_keys, found.only_first, found.only_second) == (0, 24, 24)


def test_accuracies_are_paired_by_seed_where_both_have_the_place(read):
    first = read("a", make_study(["mixup"], seeds=4), skip=[("mixup", 2, 1)])
    second = read("b", make_study(["mixup"], seeds=3, settings=Settings(batch_size=4)))
    found = compare(first, second)
    assert len(found.rows) == 2 * 4
    (row,) = [r for r in found.rows if (r.augmentation, r.samples_per_class) == ("mixup", 2)]
    one, other = (s.values(PAIR, "mixup", (2,))[:3, 0] for s in (first, second))
    assert row.difference == paired_difference(other, one)
    assert row.first.n == row.second.n == row.difference.n == 2


def test_cells_of_one_key_that_disagree_are_named(read):
    study = make_study(["mixup"], seeds=2)
    first = read("a", study)
    second = read("b", study, low=[("none", 1, 0)])
    ((place, (metric,)),) = compare(first, second).disagree
    assert place == "digits→letters none s=1 seed 0"
    assert (metric.metric, metric.second) == ("accuracy", 167 / 500)


def test_data_sets_are_paired_by_their_images_wherever_they_lie(read):
    """Two folders of the same images at two places, and the same place with other images."""

    def study(*names, contents=(1, 2)):
        made = make_study(["mixup"], seeds=3, pairs=[names])
        pair = tuple(dataset(name, number=n) for name, n in zip(names, contents, strict=True))
        return replace(made, pairs=(pair,))

    first = read("a", study("folder:/home/me/cats", "letters"))
    second = read("b", study("folder:/data/cats", "letters"))
    found = compare(first, second)
    assert len(found.rows) == 2 * 4
    assert {row.pair for row in found.rows} == {("folder:/home/me/cats", "letters")}
    assert {row.second_pair for row in found.rows} == {("folder:/data/cats", "letters")}
    for row in found.rows:
        one = first.values(row.pair, row.augmentation, (row.samples_per_class,))[:, 0]
        other = second.values(row.second_pair, row.augmentation, (row.samples_per_class,))[:, 0]
        assert row.difference == paired_difference(other, one)
    assert found.settings == (("datasets.folder:/home/me/cats.called", "–", "folder:/data/cats"),)
    assert found.unlike == ()

    third = read("c", study("folder:/home/me/cats", "letters", contents=(3, 2)))
    found = compare(first, third)
    assert found.rows == ()
    assert found.unlike == ("folder:/home/me/cats",)


def test_two_splits_of_one_folder_are_set_side_by_side_and_told_so(read, augbench, tmp_path):
    def study(number, spec):
        photos = replace(dataset("photos", number=number), spec=spec)
        made = make_study(["mixup"], seeds=3)
        return replace(made, pairs=((photos, photos),))

    first = read("a", study(1, "folder:path=a,b/photos,size=32"))
    second = read("b", study(2, "folder:path=a,b/photos,size=32,split=1"))
    found = compare(first, second)
    assert (found.unlike, found.resplit) == ((), ("photos",))
    assert len(found.rows) == 2 * 4
    for row in found.rows:
        one = first.values(row.pair, row.augmentation, (row.samples_per_class,))[:, 0]
        other = second.values(row.pair, row.augmentation, (row.samples_per_class,))[:, 0]
        assert row.difference == paired_difference(other, one)
    printed = augbench("compare", tmp_path / "a", tmp_path / "b")[1]
    assert "other splits of photos: each side is tested on images of its own" in printed
    assert "paired by the number of the seed" in printed
    told = json.loads(augbench("compare", tmp_path / "a", tmp_path / "b", "--json")[1])
    assert (told["other_splits"], told["not_compared"]) == (["photos"], [])
    # Another size, another folder, or no word on what differs, is no other split.
    for name, spec in (
        ("c", "folder:path=a,b/photos,size=16,split=1"),
        ("d", "folder:path=photos,size=32,split=1"),
        ("e", "folder:path=a,b/photos,size=32"),
    ):
        found = compare(first, read(name, study(3, spec)))
        assert (found.rows, found.unlike, found.resplit) == ((), ("photos",), ())
    assert compare(first, first).resplit == ()


def test_what_is_not_compared_is_said(read, augbench, tmp_path):
    made = make_study(["mixup"], seeds=2)
    read("a", made)
    other = (replace(made.pairs[0][0], content_hash="ff" * 32), made.pairs[0][1])
    read("b", replace(made, pairs=(other,)))
    code, printed, _ = augbench("compare", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert "not compared: digits has the same name in both and other images" in printed
    assert "nothing to set side by side" in printed


def test_corruptions_that_differ_are_told_by_name(read):
    clean = read("clean", make_study())
    shifted = read("shifted", make_study(shift=("noise", "blur")))
    differing = {name: values for name, *values in compare(clean, shifted).settings}
    assert differing == {"shift.noise": ["–", "source noise"], "shift.blur": ["–", "source blur"]}
