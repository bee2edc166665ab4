"""Pictures of pipelines: what stands below them is what the labels are."""

import numpy as np
import pytest
from tiny import tiny_a

from augbench.errors import UsageError
from augbench.pictures.making import make_picture
from augbench.plugins import Registry

PLUGIN = """
from torch.nn.functional import one_hot

from augbench import hookimpl


class Smooth:
    sources = 1
    needs = frozenset({"labels"})
    returns_distribution = True

    def __call__(self, x, *, labels, classes, rng):
        return x, 0.7 * one_hot(labels[0], classes) + 0.3 / classes


class Dark:
    sources = 1
    needs = frozenset({"progress"})

    def __call__(self, x, *, progress, rng):
        return x * progress.view(-1, 1, 1, 1)  # a picture shows the first step


class Hidden:
    sources = 2
    needs = frozenset({"hidden"})

    def choose_layer(self, layers, *, rng):
        return ""

    def __call__(self, h_i, h_j, *, rng):
        return (h_i + h_j) / 2, h_i.new_full((len(h_i),), 0.5)


@hookimpl
def register_augmentations(register):
    register("smooth", Smooth)
    register("dark", Dark)
    register("hidden", Hidden)
"""


@pytest.fixture
def drawn(tmp_path):
    (tmp_path / "drawn.py").write_text(PLUGIN)
    registry = Registry.load([str(tmp_path / "drawn.py")])

    def draw(spec, columns=6):
        (pipeline,) = registry.pipelines(spec)
        return make_picture(registry, pipeline, tiny_a(None), columns=columns)

    return draw


def test_a_class_distribution_is_told_by_the_names_of_the_classes(drawn):
    picture = drawn("smooth")
    assert set(picture.captions) == {
        "0.80 c0 + 0.10 c1 + 0.10 c2",
        "0.10 c0 + 0.80 c1 + 0.10 c2",
        "0.10 c0 + 0.10 c1 + 0.80 c2",
    }
    assert np.array_equal(picture.originals, picture.results)


def test_a_probability_leaves_images_with_their_whole_label(drawn):
    picture = drawn("collage@0.5", columns=12)
    same = (picture.originals == picture.results).all(axis=(1, 2, 3))
    assert 0 < same.sum() < 12
    for whole, caption in zip(same, picture.captions, strict=True):
        assert caption.startswith("1.00 c" if whole else "0.50 c")


def test_stages_are_drawn_in_sequence_at_the_beginning_of_training(drawn):
    assert not drawn("collage+dark").results.any()
    assert drawn("collage").results.any()


def test_what_mixes_a_hidden_layer_cannot_be_drawn(drawn):
    with pytest.raises(UsageError, match="'crop-flip\\+hidden' needs hidden of a network in train"):
        drawn("crop-flip+hidden")
