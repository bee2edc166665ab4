"""Names that would act on a terminal, a spreadsheet or a page are text in all of them."""

import csv
import json
import re
import unicodedata

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import fill, make_study

from augbench.reports.export import export
from augbench.reports.page import save_page
from augbench.results import StudyResult
from augbench.store import Store

NAMES = [
    "\x1b]0;title\x07\x1b[2J",
    "=cmd|' /C calc'!A0",
    "\u202egpj.exe",
    "[/bold][link=https://example.org]x",
    ":skull:",
    "</script><script>alert(1)</script>",
    "x" * 5000,
    "[" * 700 + "/red]" * 700,
]


@pytest.fixture
def store(tmp_path):
    """A store whose arms, data sets and classes have such names, and whose errors tell them."""
    study = make_study(
        NAMES, seeds=1, sizes=(1, 2), pairs=[(NAMES[0], NAMES[6])], classes=NAMES[:3]
    )
    fill(tmp_path / "store", study, fail=[(NAMES[0], 1, 0)])
    return tmp_path / "store"


def harmless(printed):
    """No control character but ends of lines, and no line of a thousand letters without a space."""
    bad = [c for c in printed if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]
    assert not bad
    assert not re.search(r"\S{400}", printed)
    return printed


def test_reports_and_comparisons_print_them_as_text(augbench, store):
    code, printed, errors = augbench("report", "--out", store, "--no-figures", "--full")
    assert (code, errors) == (0, "")
    assert r"\x1b]0;title\x07\x1b[2J" in harmless(printed).replace("\n", "")
    assert ":skull:" in printed
    assert "[/bold][link=https://example.org]x" in re.sub(r"[\s│]", "", printed)
    code, printed, errors = augbench("report", "--out", store, "--no-figures")
    assert (code, errors) == (0, "")
    harmless(printed)
    code, printed, errors = augbench("compare", store, store)
    assert (code, errors) == (0, "")
    harmless(printed)
    code, printed, errors = augbench("report", "--out", store, "--list")
    assert (code, errors) == (0, "")
    harmless(printed)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--aug", "\x1b[31mred"),
        ("run", "--pre-train-dataset", "folder:\u202e/none"),
        ("report", "--out", "\x1b[2Jnowhere"),
        ("export", "\x1b[2J.txt"),
        ("list", "\x1b[2J"),
        ("\x1b[2J",),
        ("run", "--\x1b[2J"),
        ("run", "--plugin", "\x1b[2J.py", "--strict-plugins"),
        ("run", "--aug", "\udc80" + "y" * 5000),
    ],
)
def test_errors_print_them_as_text(augbench, arguments, tmp_path):
    code, printed, errors = augbench(*arguments)
    assert code
    assert printed == ""
    assert "Traceback" not in harmless(errors)


def test_exports_hold_no_formula_and_numbers_stay_numbers(augbench, store, tmp_path):
    code, _, _ = augbench("export", tmp_path / "cells.csv", "--out", store)
    assert code == 0
    with (tmp_path / "cells.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert f"'{NAMES[1]}" in {row["augmentation"] for row in rows}
    for row in rows:
        assert not any(row["augmentation"].startswith(sign) for sign in "=+-@")
        assert all(
            not value.startswith("'") or name == "augmentation" for name, value in row.items()
        )


def test_a_page_shows_them_as_text(augbench, store, tmp_path):
    code, _, _ = augbench("report", "--out", store, "--no-figures", "--html", tmp_path / "p.html")
    assert code == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2  # the page's own: its data, its code
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=3, max_size=3, unique=True)
)
def test_any_name_is_printed_exported_and_put_on_a_page(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("any")
    arm, first, second = names
    fill(folder, make_study([arm], seeds=1, sizes=(1,), pairs=[(first, second)]))
    from augbench.cli import cli

    for arguments in (["report", "--no-figures"], ["report", "--list"]):
        done = CliRunner().invoke(cli, [*arguments, "--out", str(folder)])
        assert done.exit_code == 0, done.exception
        harmless(done.output)
    with Store.read(folder) as store:
        result = StudyResult(store.study())
    for suffix in ("csv", "json", "parquet"):
        export(result, folder / f"cells.{suffix}")
    tree = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    assert arm in {cell["augmentation"] for cell in tree["cells"]}
    save_page(result, folder / "page.html")


SURROGATES = st.text(st.characters(codec=None), min_size=1).map(lambda text: f"{text}\udcff")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SURROGATES)
def test_lone_surrogates_in_results_never_crash_an_export_or_a_page(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("lone")
    fill(folder, make_study(["mixup"], seeds=1, sizes=(1,)))
    with Store.read(folder) as store:
        stored = store.study()
    told = json.loads(json.dumps(stored.description).replace('"mixup"', json.dumps(name)))
    cells = tuple(
        type(cell)(**{**vars(cell), "augmentation": name}) if cell.augmentation == "mixup" else cell
        for cell in stored.cells
    )
    result = StudyResult(type(stored)(**{**vars(stored), "description": told, "cells": cells}))
    for suffix in ("csv", "json", "parquet"):
        export(result, folder / f"cells.{suffix}")
    tree = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    assert name in {cell["augmentation"] for cell in tree["cells"]}  # to the letter
    save_page(result, folder / "page.html")


def test_a_folder_whose_name_is_no_text_is_studied(augbench, tmp_path):
    """Names of files are bytes on Linux: here in Latin-1, and a class that colours terminals."""
    import os

    from PIL import Image

    place = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        os.mkdir(place)
    except OSError:
        return  # this file system has text only
    for part in (b"train", b"test"):
        for k, name in enumerate((b"\x1b[31mred", b"gr\xfcn")):
            os.makedirs(os.path.join(place, part, name))
            path = os.fsdecode(os.path.join(place, part, name, b"0.png"))
            turn = 90 * k + (45 if part == b"test" else 0)
            Image.linear_gradient("L").rotate(turn).save(path)
    spec = f"folder:{os.fsdecode(place)},size=16"
    study = [
        *("--pre-train-dataset", spec, "--finetune-dataset", spec, "--samples-per-class", "1"),
        *("--finetune-samples-per-class", "1", "--n-batches-pre-train", "2", "--workers", "0"),
        *("--n-batches-finetune", "2", "--seeds", "1", "--out", tmp_path / "out"),
        *("--engine", "reference", "--aug", "mixup"),
    ]
    code, printed, errors = augbench("run", *study)
    assert (code, errors) == (0, "")
    assert r"caf\udce9" in harmless(printed)
    assert (tmp_path / "out" / "effects.png").exists()
    code, _, errors = augbench("export", tmp_path / "cells.csv", "--out", tmp_path / "out")
    assert (code, errors) == (0, "")
