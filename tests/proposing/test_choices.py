"""What is chosen where a user left it open: always the same, told, never over what was given."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from photographs import album, photograph

import augbench as package
from augbench.api import Options, plan
from augbench.datasets.naming import short_names
from augbench.errors import StudyProblems, StudyWarning, UsageError
from augbench.plugins.registry import Registry
from augbench.proposing.testing import least_difference
from augbench.statistics import images_needed
from augbench.verifying import rebuilt

SHORT = {"pretrain_steps": 4, "finetune_steps": 4, "workers": 0, "seeds": 1}
TINY = {**SHORT, "plugins": str(Path(__file__).parents[1] / "support" / "tiny.py")}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return album("photos", {"cat": 12, "dog": 10})


def test_a_folder_is_enough_for_a_study(no_children, photos):
    made = plan(dataset="photos")
    ((pretrain, finetune),) = made.study.pairs
    assert pretrain == finetune
    assert pretrain.name == "photos"
    assert pretrain.image_shape == (3, 30, 30)
    assert (pretrain.train_counts, pretrain.test_size) == ((6, 5), 11)
    assert [arm.label for arm in made.study.arms] == [
        *("none", "crop-flip", "mixup", "crop-flip+mixup")
    ]
    assert made.study.samples_per_class == (1, 2, 4)
    assert {cell.settings.finetune_samples_per_class for cell in made.cells} == {4}


@pytest.mark.parametrize(
    "named",
    [
        {"dataset": "photos"},
        {"dataset": "./photos"},
        {"dataset": "here"},
        {"pretrain_datasets": "photos"},
        {"finetune_datasets": "photos"},
        {"pretrain_datasets": "photos", "finetune_datasets": "./photos"},
    ],
)
def test_whatever_the_folder_is_named_by_the_cells_are_the_same(no_children, photos, named):
    Path("here").symlink_to(photos)
    given = {"augmentations": "mixup", **SHORT}
    wanted = [cell.key for cell in plan(dataset=str(photos.absolute()), **given).cells]
    assert [cell.key for cell in plan(**named, **given).cells] == wanted


def test_what_was_chosen_is_written_out_and_comes_back_the_same(no_children, photos):
    made = plan(dataset="photos", **SHORT)
    made.save("study.toml")
    text = Path("study.toml").read_text()
    assert "folder:path=photos,size=30,channels=3,test_fraction=0.5" in text
    assert "samples_per_class = [1, 2, 4]" in text
    again = plan(Options.from_file("study.toml"))
    assert [cell.key for cell in again.cells] == [cell.key for cell in made.cells]
    assert again.choices == ()


def test_results_are_under_the_short_name_and_the_full_spec_is_kept(photos):
    with pytest.warns(StudyWarning, match="11 test images"):
        result = package.run(
            "mixup", dataset="photos", samples_per_class=2, engine="reference", **SHORT
        )
    assert not result.failed
    assert result.pairs == (("photos", "photos"),)
    (told,) = result.stored.description["datasets"].values()
    assert told["spec"] == "folder:path=photos,size=30,channels=3,test_fraction=0.5"
    planned = plan(dataset="photos", augmentations="mixup", samples_per_class=2, **SHORT)
    cells, _ = rebuilt(result.stored, Registry.load())
    assert set(cells) == {cell.key for cell in planned.cells}


def test_what_is_given_wins_even_where_it_is_a_default(no_children, photos):
    made = plan(
        dataset="photos:size=20,channels=1,test_fraction=0.2",
        augmentations=("collage", "mixup"),
        samples_per_class=(2, 8),
        finetune_samples_per_class=3,
    )
    ((info, _),) = made.study.pairs
    assert info.image_shape == (1, 20, 20)
    assert info.train_counts == (10, 8)
    assert made.study.samples_per_class == (2, 8)
    assert [arm.label for arm in made.study.arms] == ["none", "collage", "mixup"]
    assert not any("chosen" in line for line in made.choices)
    with pytest.raises(UsageError, match="samples_per_class=64 is more than 'photos' holds"):
        plan(dataset="photos", samples_per_class=Options.samples_per_class)


def test_all_augmentations_are_these_and_the_pipelines_that_are_proposed(
    no_children, only_built_in, photos
):
    def arms(*augmentations, **given):
        made = plan(augmentations=augmentations, dataset="photos", samples_per_class=2, **given)
        return [arm.label for arm in made.study.arms], " ".join(made.choices)

    every = ["none", "collage", "crop-flip", "mixup"]
    made, told = arms("all")
    assert made == [*every, "crop-flip+mixup"]
    assert "crop-flip+mixup beside all " in told
    assert arms("all", "crop-flip+mixup") == ([*every, "crop-flip+mixup"], arms("mixup")[1])
    # On a base, nothing is proposed.
    assert arms("all", base="crop-flip")[0] == every
    elsewhere = plan("all", **TINY, pretrain_datasets="tiny-a", finetune_datasets="tiny-b")
    assert "crop-flip+mixup" not in [arm.label for arm in elsewhere.study.arms]


def test_every_line_of_choices_names_what_changes_it(no_children, photos):
    _, heading, *lines = plan(dataset="photos").choices
    assert heading.startswith("chosen to fit the data")
    words = ("dataset='photos:size=32'", "dataset='photos:test_fraction=0.3'", "augmentations")
    for line, word in zip(
        lines, [*words, "samples_per_class", "finetune_samples_per_class"], strict=True
    ):
        assert line.endswith(word)
    assert plan(dataset="photos:size=32", **SHORT).study.pairs[0][0].image_shape[1:] == (32, 32)


def test_a_name_wins_over_a_folder_and_a_path_is_a_folder(no_children, photos):
    Path("tiny-a").symlink_to(photos)
    assert plan(dataset="tiny-a", **TINY).study.pairs[0][0].classes[0] == "c0"
    assert plan(dataset="./tiny-a", **TINY).study.pairs[0][0].classes == ("cat", "dog")


def test_a_folder_takes_the_shape_of_the_data_set_on_the_other_side(no_children, photos):
    made = plan(pretrain_datasets="photos", finetune_datasets="tiny-a", **TINY)
    assert made.study.pairs[0][0].image_shape == (1, 16, 16)
    made = plan(dataset="tiny-a", pretrain_datasets="photos", **TINY)
    assert [one.name for one in made.study.pairs[0]] == ["photos", "tiny-a"]


def test_sizes_shrink_to_a_data_set_that_is_no_folder_too(no_children):
    made = plan("mixup", pretrain_datasets="tiny-a", finetune_datasets="tiny-b", **TINY)
    sizes = made.study.samples_per_class[-1], made.study.settings.finetune_samples_per_class
    for size, info in zip(sizes, made.study.pairs[0], strict=True):
        assert size <= min(info.train_counts) < 2 * size
    assert not any("test images" in line for line in made.choices)


def test_all_problems_of_a_study_are_told_at_once(no_children, photos):
    with pytest.raises(StudyProblems) as caught:
        plan("mixpu", dataset="photos", backbone="convnte", samples_per_class=50, seeds=2)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for word, line in zip(("mixpu", "convnte", "samples_per_class=50"), lines, strict=True):
        assert word in line
    (photos / "cat" / "000.jpg").write_bytes(b"nothing")
    with pytest.raises(StudyProblems) as caught:
        plan("mixpu", dataset="photos")
    assert ["mixpu" in str(caught.value), "000.jpg" in str(caught.value)] == [True, True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "nowhere"}, "unknown data set 'nowhere' .*nor is there a folder 'nowhere'"),
        ({"dataset": "./nowhere"}, "there is no folder ./nowhere; expected one that holds"),
        ({"dataset": "photos.zip"}, "photos.zip is a file: expected a folder .*unpack"),
        ({"dataset": "photos:64"}, "expected key=value behind the folder, as in photos:size=64"),
        ({"dataset": "photos:sise=64"}, "no parameter 'sise'; did you mean 'size'"),
        (
            {"dataset": "a", "pretrain_datasets": "b", "finetune_datasets": "c"},
            "give dataset, or pretrain_datasets and finetune_datasets, not all three",
        ),
    ],
)
def test_what_is_no_data_set_is_told_with_what_was_expected(no_children, photos, given, message):
    Path("photos.zip").write_bytes(b"PK")
    with pytest.raises(UsageError, match=message):
        plan(**given)


def test_few_test_images_are_told_plainly_with_what_would_do(no_children, photos):
    made = plan(dataset="photos")
    (few,) = made.doubts
    assert "11 test images, so that differences under about 15 points may be luck" in few
    assert "100 test images would, as of 100 images in each of 2 classes" in few


def test_one_small_class_is_named(no_children, photos):
    album("photos", {"eel": 3})
    assert any(
        "no size is above 1, the training images of class 'eel'; add images, or take the class away"
        in line
        for line in plan(dataset="photos").warnings
    )


def test_the_least_difference_is_what_simulated_test_sets_show():
    """Two arms of 8 seeds that differ by so much: four draws of test images in five tell."""
    rng, images, seeds, found = np.random.default_rng(0), 400, 8, 0
    effect = least_difference(images, seeds)
    spread = np.sqrt(0.01), np.sqrt(0.16)
    for _ in range(400):
        own = rng.normal(effect, spread[0], images)
        values = own + rng.normal(0, spread[1], (seeds, images))
        mean = values.mean(axis=0)
        found += abs(mean.mean()) > 1.96 * mean.std(ddof=1) / np.sqrt(images)
    assert 0.74 < found / 400 < 0.86
    assert least_difference(4 * images, seeds) == pytest.approx(effect / 2)


@pytest.mark.parametrize("seeds", [1, 8, 500])
def test_the_images_that_a_difference_needs_are_the_fewest_that_show_it(seeds):
    for difference in (0.003, 0.02, 0.05, 0.4):
        images = images_needed(difference, seeds)
        assert least_difference(images, seeds) <= difference * (1 + 1e-9)
        assert images == 1 or least_difference(images - 1, seeds) > difference
    assert images_needed(least_difference(120, seeds), seeds) == 120


def test_short_names_are_never_equal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = Registry.load()
    specs = [
        *("folder:a/photos", "folder:b/photos", "folder:b/photos,size=64", "folder:mnist", "mnist"),
        *("folder:x/train", "folder:y/train", "mnist-c:fog", "folder:.", "glyph-digits"),
    ]
    components = [registry.resolve("dataset", spec) for spec in specs]
    for count in (1, 2):
        for some in itertools.permutations(components, count):
            names = short_names(some)
            assert len(set(names.values())) == count
    assert short_names(components[:1]) == {"folder:path=a/photos": "photos"}
    assert list(short_names(components[:2]).values()) == ["a/photos", "b/photos"]
    assert list(short_names(components[5:6]).values()) == ["x/train"]
    assert list(short_names(components[7:9]).values()) == ["mnist-c:corruption=fog", tmp_path.name]


def test_the_same_folder_at_two_sizes_is_told_apart(no_children, photos):
    photograph(photos / "cat" / "more.jpg")
    made = plan(
        pretrain_datasets=["photos:size=20", "photos:size=30"],
        finetune_datasets="none",
        readouts="own-head",
        **SHORT,
    )
    assert len({pretrain.name for pretrain, _ in made.study.pairs}) == 2
