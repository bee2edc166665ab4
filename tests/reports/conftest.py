import pytest
from synthetic import fill

from augbench.results import StudyResult
from augbench.store import Store


@pytest.fixture
def read(tmp_path):
    """Fill a store and read its study."""

    def make(study, **options):
        fill(tmp_path / "store", study, **options)
        with Store.read(tmp_path / "store") as store:
            return StudyResult(store.study())

    return make


@pytest.fixture
def page(browser, study):
    """The page of a module's own `study`, of which the browser may neither complain nor load."""
    browser.open(study[1])
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == []
