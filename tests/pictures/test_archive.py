import re

import numpy as np
import pytest
from synthetic import dataset, make_study

from augbench.errors import StoreError
from augbench.pictures.archive import (
    FILE_NAME,
    Picture,
    add_pictures,
    damage,
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


@pytest.mark.parametrize("damage_it", [lambda b: b"", lambda b: b"PK\3\4 no", lambda b: b[:-90]])
def test_a_damaged_file_is_told_in_one_line_and_made_again(tmp_path, damage_it):
    study = make_study(["mixup"])
    pictures = {_key(study, "mixup"): _picture("mixup")}
    add_pictures(tmp_path, pictures)
    assert damage(tmp_path) == ""
    path = tmp_path / FILE_NAME
    path.write_bytes(damage_it(path.read_bytes()))
    assert pictures_of(tmp_path, study.to_json()) == []
    assert known_pictures(tmp_path) == set()
    assert re.fullmatch(f"'{path}' is damaged .*the next `augbench run` makes.*", damage(tmp_path))
    add_pictures(tmp_path, pictures)
    assert len(pictures_of(tmp_path, study.to_json())) == 1
    assert damage(tmp_path) == ""


def test_a_picture_of_which_a_part_is_missing_is_made_again(tmp_path):
    study = make_study(["collage", "mixup"])
    keys = [_key(study, label) for label in ("collage", "mixup")]
    add_pictures(tmp_path, {key: _picture("one") for key in keys})
    with np.load(tmp_path / FILE_NAME) as archive:
        arrays = dict(archive)
    del arrays[f"{keys[0]}.captions"]
    np.savez(tmp_path / FILE_NAME, **arrays)
    assert known_pictures(tmp_path) == {keys[1]}
    assert [one.augmentation for one in pictures_of(tmp_path, study.to_json())] == ["mixup"]


def test_a_file_that_may_not_be_read_is_not_taken_for_a_damaged_one(tmp_path, monkeypatch):
    add_pictures(tmp_path, {"a": _picture("mixup")})

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(StoreError, match=r"cannot read .*Permission denied"):
        known_pictures(tmp_path)
