"""A slim store reports what the whole one does, but for what is read from training curves."""

import pytest
from synthetic import fill, make_study

from augbench.store import backup


@pytest.mark.parametrize("in_epochs", [False, True])
def test_a_slim_store_reports_the_same(augbench, tmp_path, in_epochs):
    study = make_study(["mixup"], seeds=6, sizes=(1, 2, 4), budgets=(10, 100), in_epochs=in_epochs)
    fill(tmp_path / "whole", study)
    backup(tmp_path / "whole", tmp_path / "slim", slim=True)

    def told(name, *options):
        code, printed, errors = augbench("report", tmp_path / name, "--no-figures", *options)
        assert (code, errors) == (0, "")
        return [
            line
            for line in printed.replace(name, "store").splitlines()
            if "converge" not in line and "curves" not in line
        ]

    whole, slim = told("whole"), told("slim")
    table = [line for line in whole if line.startswith(("points", "none", "mixup"))]
    assert len(table) >= 3
    assert [line for line in slim if line in table] == table
    assert told("slim", "--full")
    told("slim", "--html", tmp_path / "report.html")
    assert "mixup" in (tmp_path / "report.html").read_text(encoding="utf-8")
