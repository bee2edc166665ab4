"""The words for what is done to images: declared, read, and compared."""

import pytest

from augbench.augmentations.contract import operations_of as of_augmentations
from augbench.corruptions.choosing import STANDARD, corruptions_of
from augbench.errors import ContractError
from augbench.operations import OPERATIONS, operations_of, overlap, pipeline_operations
from augbench.plugins import Registry

REGISTRY = Registry.load()


class Declaring:
    def __init__(self, declared):
        self.operations = declared


def test_declared_words_are_read_from_an_object_or_a_class():
    class Mine:
        operations = ("blur", "noise")

    assert operations_of(Mine) == operations_of(Mine()) == {"blur", "noise"}
    assert operations_of(Declaring({"crop"})) == {"crop"}
    assert operations_of(object()) == frozenset()  # it does not tell
    assert of_augmentations is operations_of


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("blur", "expected `operations` as a frozenset of noise, blur, .*, got 'blur'"),
        (None, "expected .*, got None"),
        ({"blurr"}, "there is no operation 'blurr'; did you mean 'blur'"),
        ((3,), "there is no operation 3 "),
        (["blur"], r"expected .*, got \['blur'\]"),
    ],
)
def test_any_other_value_is_a_contract_error(declared, message):
    with pytest.raises(ContractError, match=f"Declaring: {message}"):
        operations_of(Declaring(declared))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("none", set()),
        ("mixup", {"mixing"}),
        ("collage", {"mixing", "occlusion"}),
        ("crop-flip", {"crop", "translation", "flip"}),
        ("crop-flip:flip=false", {"crop", "translation"}),
        ("crop-flip:padding=0", {"flip"}),
        ("crop-flip:padding=0,flip=false", set()),
        ("crop-flip:flip=false+mixup@0.5", {"crop", "translation", "mixing"}),
        ("mixup|collage", {"mixing", "occlusion"}),
    ],
)
def test_a_pipeline_does_what_its_augmentations_do(spec, expected):
    (pipeline,) = REGISTRY.pipelines(spec)
    assert pipeline_operations(REGISTRY, pipeline) == expected


def test_a_corruption_that_training_has_met_is_told():
    def met_by(spec):
        (pipeline,) = REGISTRY.pipelines(spec)
        training = pipeline_operations(REGISTRY, pipeline)
        return {
            name: set(common)
            for name in STANDARD
            for common in [overlap(training, operations_of(made[name]))]
            if common
        }

    made = {c.name: REGISTRY.create(c) for c in corruptions_of(REGISTRY, "standard")}
    assert met_by("none") == {}
    assert met_by("mixup") == {}
    assert met_by("crop-flip+collage") == {
        "translation": {"translation"},
        "occlusion": {"occlusion"},
    }


def test_every_word_has_a_meaning_and_every_corruption_a_word():
    assert all(meaning for meaning in OPERATIONS.values())
    used = [operations_of(REGISTRY.create(c)) for c in corruptions_of(REGISTRY, "standard")]
    assert all(used)
