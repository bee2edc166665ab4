import shutil

import numpy as np
import pytest
from damage import rewrite
from synthetic import ENVIRONMENT, fill, make_study

from augbench.errors import StoreError
from augbench.pictures.archive import Picture, add_pictures, pictures_of
from augbench.results import StudyResult
from augbench.store import FILE_NAME, Store, merge, problems

COLLAGE = make_study(["collage"], seeds=2)
MIXUP = make_study(["mixup"], seeds=2)


@pytest.fixture
def stores(tmp_path):
    """Two stores that share the baseline."""
    fill(tmp_path / "a", COLLAGE)
    fill(tmp_path / "b", MIXUP, environment={**ENVIRONMENT, "cpu": "other"})
    return tmp_path / "a", tmp_path / "b", tmp_path / "c"


def _results(folder):
    with Store.read(folder) as store:
        return [StudyResult(store.study(number)) for number, *_ in store.studies()]


def test_cells_and_studies_of_both_stores_are_in_the_new_one(stores):
    a, b, c = stores
    merged = merge([a, b], c)
    assert (merged.studies, merged.cells, merged.shared, merged.conflicts) == (2, 24, 8, ())
    both = {study.augmentations[1]: study for study in _results(c)}
    for folder in (a, b):
        (old,) = _results(folder)
        new = both[old.augmentations[1]]
        assert [cell.key for cell in new.cells] == [cell.key for cell in old.cells]
        assert all(
            mine.result.metrics == theirs.result.metrics
            for mine, theirs in zip(new.cells, old.cells, strict=True)
        )


def test_a_study_of_both_finds_all_its_cells_after_a_merge(stores):
    a, b, c = stores
    merge([a, b], c)
    whole = make_study(["collage", "mixup"], seeds=2)
    with Store.read(c) as store:
        assert len(store.finished(cell.key for cell in whole.cells())) == len(whole.cells())


def test_the_sources_stay_as_they_are_and_order_decides_only_whose_cell_is_kept(stores):
    a, b, c = stores
    before = [(f / FILE_NAME).read_bytes() for f in (a, b)]
    merge([a, b], c)
    merge([b, a], c.with_name("d"))
    assert [(f / FILE_NAME).read_bytes() for f in (a, b)] == before
    for one, other in ((c, "invented"), (c.with_name("d"), "other")):
        study = next(s for s in _results(one) if "collage" in s.augmentations)
        assert study.cells[0].environment["cpu"] == other


def test_cells_that_disagree_are_reported_and_the_first_is_kept(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    fill(a, COLLAGE)
    fill(b, MIXUP, low=[("none", 1, 0)])
    (conflict,) = merge([a, b], c).conflicts
    assert conflict.cell == "digits→letters none s=1 seed 0"
    assert (conflict.kept_from, conflict.other) == (str(a), str(b))
    (metric,) = conflict.metrics
    assert (metric.metric, metric.second) == ("accuracy", 167 / 500)
    assert _results(c)[0].cells[0].result.metrics["accuracy"] == metric.first


def test_a_result_wins_over_a_failure_wherever_it_stands(tmp_path):
    fill(tmp_path / "a", MIXUP, fail=[("mixup", 4, 1)])
    fill(tmp_path / "b", MIXUP, fail=[("none", 1, 0)])
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c").conflicts == ()
    (study,) = _results(tmp_path / "c")
    assert {cell.status for cell in study.cells} == {"ok"}


def test_stores_of_another_protocol_are_refused_before_anything_is_written(stores):
    a, b, c = stores
    rewrite(b, "UPDATE cells SET protocol = 2 WHERE seed = 1", sign=True)
    with pytest.raises(StoreError, match="protocol version 2, this AugBench merges version 1"):
        merge([a, b], c)
    assert not c.exists()


def test_a_merge_that_fails_in_the_middle_leaves_nothing(stores):
    a, b, c = stores
    (b / "gallery.npz").write_bytes(b"no pictures")
    for out in (c, c / "deep" / "er"):
        with pytest.raises(StoreError, match="gallery"):
            merge([a, b], out)
        assert not c.exists()
    c.mkdir()
    (c / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="gallery"):
        merge([a, b], c)
    assert [path.name for path in c.iterdir()] == ["notes.txt"]
    with pytest.raises(StoreError, match=r"cannot write into the folder .*it is a file"):
        merge([a], c / "notes.txt")


def test_a_merge_leaves_out_damaged_rows_and_counts_them(stores):
    a, b, c = stores
    rewrite(a, "UPDATE cells SET correct = x'00' WHERE samples_per_class = 1")
    rewrite(b, "UPDATE studies SET command = 'x'")
    merged = merge([a, b], c)
    assert (merged.damaged, merged.studies) == (5, 1)
    with Store.read(c) as store:
        assert problems(store) == []
    (c.parent / "foreign").mkdir()
    (c.parent / "foreign" / FILE_NAME).write_text("something else")
    with pytest.raises(StoreError, match="not a database"):
        merge([a, c.parent / "foreign"], c.parent / "d")
    assert not (c.parent / "d").exists()


def test_an_existing_store_is_never_merged_over(stores):
    a, b, _ = stores
    with pytest.raises(StoreError, match="holds a store already; name a new folder"):
        merge([a, b], a)
    with pytest.raises(StoreError, match="no store at"):
        merge([a, b.with_name("nowhere")], b.with_name("new"))


def test_a_store_in_a_read_only_place_can_be_merged_by_its_file(stores):
    a, b, c = stores
    moved = shutil.copy(b / FILE_NAME, b.with_name("copied.sqlite"))
    assert merge([a, b.with_name("copied.sqlite")], c).cells == 24
    assert str(moved).endswith("copied.sqlite")


def test_pictures_are_merged_too(stores):
    a, b, c = stores
    from augbench.pictures.archive import picture_key

    images = np.zeros((1, 1, 4, 4), np.uint8)
    for folder, study in ((a, COLLAGE), (b, MIXUP)):
        arm = study.arms[1]
        key = picture_key(study.pairs[0][0].content_hash, arm.pipeline.identity())
        add_pictures(folder, {key: Picture("digits", arm.label, images, images, ("x",))})
    merge([a, b], c)
    whole = make_study(["collage", "mixup"]).to_json()
    assert [picture.augmentation for picture in pictures_of(c, whole)] == ["collage", "mixup"]
