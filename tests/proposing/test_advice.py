"""Advice that can be followed: what is asked for is possible, and what is wrong is named."""

import re
from pathlib import Path

import pytest
from photographs import album

from augbench.api import plan
from augbench.errors import AugbenchError, UsageError
from augbench.plugins.registry import Registry

PLUGIN = """
from augbench.plugins import hookimpl

class Eight:
    sources = 8
    def __call__(self, *images, rng):
        return images[0], images[0].new_full((len(images[0]), 8), 1 / 8)

class NoSources:
    def __call__(self, image, *, rng):
        return image

class NoCall:
    sources = 1

def changes(images=None):
    return images

@hookimpl
def register_augmentations(register):
    register("eight", Eight)
    register("made", Eight())
    register("no-sources", NoSources)
    register("no-call", NoCall)
    register("changes", changes)
"""


@pytest.fixture
def study(tmp_path, monkeypatch, no_children):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(PLUGIN)
    album("photos", {"cat": 12, "dog": 12})
    return {"dataset": "photos", "plugins": "own.py", "seeds": 1}


def test_no_larger_batch_is_asked_for_where_the_images_are_too_few(study):
    with pytest.raises(UsageError) as caught:
        plan("eight", samples_per_class=[1, 4], **study)
    text = str(caught.value)
    assert "batch_size" not in text
    (first,) = re.findall(r"begin at samples_per_class=(\d+)$", text)
    assert plan("eight", samples_per_class=int(first), **study).cells


def test_a_larger_batch_is_asked_for_where_it_helps(study):
    with pytest.raises(UsageError) as caught:
        plan("eight", samples_per_class=4, batch_size=4, **study)
    (size,) = re.findall(r"; use batch_size=(\d+) or more$", str(caught.value))
    assert plan("eight", samples_per_class=4, batch_size=int(size), **study).cells


def test_an_arm_that_no_size_serves_is_to_be_left_out(study):
    for file in Path("photos").glob("*/*.jpg"):
        if int(file.stem) > 2:
            file.unlink()
    with pytest.raises(UsageError, match="more than 'photos' has for any size: leave 'eight' out"):
        plan("eight", **study)


def test_sizes_that_nobody_gave_begin_where_an_arm_has_enough_images(study):
    assert plan("eight", **study).study.samples_per_class == (4,)


def test_nothing_that_is_least_is_to_be_made_smaller(study):
    with pytest.raises(UsageError) as caught:
        plan("mixup", tune="lr", **study)
    assert str(caught.value).endswith("give a smaller calibration_samples_per_class than 16")
    assert plan("mixup", tune="lr", calibration_samples_per_class=1, **study).cells


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("made", "expected a class, got an object of the class 'Eight': register the class itself"),
        ("no-sources", "got a NoSources without it: write `sources = 1` into the class"),
        ("no-call", "got a NoCall without the method `__call__"),
        ("changes", "got a NoneType from the function 'changes': it is called once, without imag"),
    ],
)
def test_what_is_registered_as_an_augmentation_and_is_none_is_told_what_it_is(study, name, message):
    with pytest.raises(AugbenchError, match=message):
        Registry.load(["own.py"]).pipelines(name)
