"""The pictures of a gallery come from an idle worker, or from a process of their own."""

from dataclasses import replace

import pytest

from augbench.api import execute, plan
from augbench.pictures.archive import pictures_of
from augbench.running import pictures
from augbench.running.pictures import Gallery


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_leaves_the_pictures_of_its_arms(tiny_options, workers, monkeypatch):
    planned = plan(replace(tiny_options, workers=workers, engine="reference"))
    if workers:  # no process is started for them

        def isolated(*_):
            raise AssertionError("a worker has torch and the data already")

        monkeypatch.setattr(pictures, "Isolated", isolated)
    with Gallery(planned) as gallery:
        result = execute(planned, gallery=gallery)
    assert gallery.problem == ""
    found = pictures_of(tiny_options.out, result.stored.description)
    assert [one.augmentation for one in found] == ["none", "mixup"]
    assert all(len(one.results) for one in found)


def test_pictures_are_made_where_nothing_is_left_to_train(tiny_options):
    planned = plan(replace(tiny_options, engine="reference"))
    execute(planned)
    with Gallery(planned) as gallery:
        result = execute(planned, gallery=gallery)
    assert len(pictures_of(tiny_options.out, result.stored.description)) == 2
    with Gallery(planned) as gallery:
        assert gallery.errand is None
