import base64
import builtins
import csv
import json
import math

import numpy as np
import pytest
from synthetic import ENVIRONMENT, fill, make_study

from augbench.errors import AugbenchError, StoreError, UsageError
from augbench.reports.export import export, to_csv, to_json
from augbench.results import StudyResult
from augbench.store import Store


@pytest.fixture
def result(tmp_path):
    """A study with a name that needs quoting, a failed and a missing cell, ruler and references."""
    study = make_study(['mix"up", 50 %\n'], seeds=2, sizes=(1, 2), ruler=(4,), references=True)
    label = study.arms[1].label
    fill(tmp_path / "store", study, fail=[(label, 2, 0)], skip=[(label, 2, 1)])
    with Store.read(tmp_path / "store") as store:
        return StudyResult(store.study())


def test_csv_has_a_row_for_each_planned_cell_in_full_precision(result):
    rows = list(csv.DictReader(to_csv(result).splitlines(keepends=True)))
    assert len(rows) == len(result.cells)
    for row, cell in zip(rows, result.cells, strict=True):
        assert row["augmentation"] == cell.augmentation
        assert row["status"] == cell.status
        if cell.status == "ok":
            assert float(row["accuracy"]) == cell.result.metrics["accuracy"]
            assert float(row["nll_scaled"]) == cell.result.metrics["nll_scaled"]
        else:
            assert row["accuracy"] == ""
    assert [row["error"] for row in rows if row["status"] == "failed"] == [
        "RuntimeError: the chain came off"
    ]


def test_roles_tell_the_sweep_from_ruler_floor_and_ceiling(result):
    rows = [row for row in result.cell_rows() if row["seed"] == 0 and row["augmentation"] == "none"]
    assert {(row["role"], row["samples_per_class"]) for row in rows} == {
        ("sweep", 1),
        ("sweep", 2),
        ("ruler", 4),
        ("floor", 0),
        ("ceiling", None),
    }


def test_json_holds_curves_bits_tracebacks_and_environments(result):
    tree = json.loads(to_json(result))
    assert tree["environments"] == [ENVIRONMENT]
    assert tree["study"]["description"] == result.stored.description
    for row, cell in zip(tree["cells"], result.cells, strict=True):
        if cell.status == "ok":
            assert base64.b64decode(row["correct"]) == cell.result.correct
            assert row["curves"]["pretrain"]["loss"] == list(cell.result.curves["pretrain"].loss)
            assert tree["environments"][row["environment"]] == ENVIRONMENT
    failed = [row for row in tree["cells"] if row["status"] == "failed"]
    assert failed[0]["traceback"].startswith("Traceback")


def test_parquet_holds_the_same_table(result, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export(result, tmp_path / "cells.parquet")
    table = parquet.read_table(tmp_path / "cells.parquet")
    rows = table.to_pylist()
    bits = [row.pop("correct") for row in rows]
    assert rows == result.cell_rows()
    assert bits == [cell.result.correct if cell.result else None for cell in result.cells]
    assert json.loads(table.schema.metadata[b"environments"]) == [ENVIRONMENT]


def test_parquet_without_pyarrow_says_what_to_install(result, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AugbenchError, match=r"pip install 'augbench\[parquet\]'"):
        export(result, tmp_path / "cells.parquet")


def test_what_is_not_finite_is_null(tmp_path):
    study = make_study(["mixup"], seeds=1, sizes=(1,))
    fill(tmp_path, study)
    with Store.read(tmp_path) as store:
        result = StudyResult(store.study())
    result.cells[0].result.metrics.update(nll=math.nan, ece=math.inf)
    row = json.loads(to_json(result))["cells"][0]
    assert row["nll"] is row["ece"] is None
    assert np.isfinite(row["accuracy"])


def test_the_suffix_names_the_format_unless_it_is_given(result, tmp_path):
    export(result, tmp_path / "cells.txt", "csv")
    export(result, tmp_path / "cells.CSV")
    assert (tmp_path / "cells.txt").read_bytes() == (tmp_path / "cells.CSV").read_bytes()
    with pytest.raises(UsageError, match=r"ends in .csv, .json or .parquet, got 'cells.xlsx'"):
        export(result, tmp_path / "cells.xlsx")


def test_an_unwritable_file_is_one_clear_line(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name a writable file"):
        export(result, tmp_path / "file" / "cells.csv")
