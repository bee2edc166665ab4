import importlib.metadata

from synthetic import fill, make_study

import augbench
from augbench.environment import describe_environment, version_of
from augbench.reports.figures import update_figures
from augbench.results import StudyResult
from augbench.store import Store


def test_a_checkout_that_is_not_installed_draws_figures(tmp_path, monkeypatch):
    installed = importlib.metadata.version

    def version(name):
        if name == "augbench":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    fill(tmp_path, make_study(["mixup"], seeds=1, sizes=(1,)))
    with Store.read(tmp_path) as store:
        lines = update_figures(StudyResult(store.study()), tmp_path)
    assert any("learning-curves" in line for line in lines)
    assert version_of("augbench") == augbench.__version__
    assert version_of("no-such-package") == "not installed"


def test_the_environment_names_the_versions():
    found = describe_environment()
    assert found["augbench"] == augbench.__version__
    assert found["torch"] == importlib.metadata.version("torch")
