import numpy as np
import pytest
from synthetic import dataset, make_study

from augbench.errors import StoreError
from augbench.pictures.archive import (
    FILE_NAME,
    Picture,
    add_pictures,
    known_pictures,
    picture_key,
    pictures_of,
)

RNG = np.random.default_rng(0)


def _picture(label, **options):
    images = RNG.integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
    return Picture("digits", label, images, images[::-1], ("0.50 <b>", "1.00 ü", ""), **options)


def _key(study, label):
    (arm,) = [one for one in study.arms if one.label == label]
    return picture_key(dataset("digits").content_hash, arm.pipeline.identity())


def test_pictures_come_back_in_the_order_of_the_plan(tmp_path):
    study = make_study(["collage", "mixup"])
    kept = {_key(study, label): _picture(label) for label in ("mixup", "collage")}
    add_pictures(tmp_path, kept)
    found = pictures_of(tmp_path, study.to_json())
    assert [picture.augmentation for picture in found] == ["collage", "mixup"]
    for picture in found:
        original = kept[_key(study, picture.augmentation)]
        np.testing.assert_array_equal(picture.originals, original.originals)
        np.testing.assert_array_equal(picture.results, original.results)
        assert picture.captions == original.captions
        assert picture.problem == ""


def test_pictures_are_added_to_those_of_earlier_studies(tmp_path):
    study = make_study(["collage", "mixup"])
    add_pictures(tmp_path, {_key(study, "collage"): _picture("collage")})
    add_pictures(tmp_path, {_key(study, "mixup"): _picture("mixup", problem="needs gradients")})
    assert known_pictures(tmp_path) == {_key(study, "collage"), _key(study, "mixup")}
    assert [p.problem for p in pictures_of(tmp_path, study.to_json())] == ["", "needs gradients"]
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_another_source_or_data_set_is_another_picture():
    identity = make_study(["mixup"]).arms[1].pipeline.identity()
    keys = {
        picture_key("aa", identity),
        picture_key("bb", identity),
        picture_key("aa", {**identity, "source": "other"}),
    }
    assert len(keys) == 3


def test_a_folder_without_pictures_has_none(tmp_path):
    assert pictures_of(tmp_path, make_study().to_json()) == []


def test_a_damaged_file_is_one_clear_line(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(StoreError, match=r"is damaged .*; delete it"):
        pictures_of(tmp_path, make_study().to_json())
