"""A store outlives the plugins whose results it holds."""

import sys
from pathlib import Path

from augbench.plugins.registry import Registry
from augbench.store import Store

TINY = str(Path(__file__).parent.parent / "support" / "tiny.py")
STUDY = [
    *("--pre-train-dataset", "tiny-a", "--finetune-dataset", "tiny-b", "--plugin", TINY),
    *("--samples-per-class", "1,4", "--finetune-samples-per-class", "5", "--batch-size", "4"),
    *("--n-batches-pre-train", "8", "--n-batches-finetune", "8", "--workers", "0", "--seeds", "1"),
]


def test_a_report_needs_no_plugin_whose_results_it_shows(
    augbench, install, plugin_source, monkeypatch, tmp_path
):
    site = install("my-mixes", plugin_source("fancy"))
    out = tmp_path / "out"
    code, _, _ = augbench("run", "--aug", "fancy", "--out", out, *STUDY)
    assert code == 0
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    assert "fancy" not in Registry.load().names("augmentation")
    code, reported, errors = augbench("report", "--out", out, "--no-figures")
    assert (code, errors) == (0, "")
    assert "fancy" in reported
    code, _, errors = augbench("run", "--aug", "fancy", "--out", out, *STUDY)
    assert code == 2
    assert "unknown augmentation 'fancy'" in errors


def test_results_of_two_versions_live_in_one_store(
    augbench, install, plugin_source, monkeypatch, tmp_path
):
    out = tmp_path / "out"
    arguments = ("run", "--aug", "fancy", "--out", out, *STUDY)
    site = install("my-mixes", plugin_source("fancy"))
    assert "0 in the store, 4 to compute" in augbench(*arguments)[2]
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    sys.modules.pop("my_mixes")
    (site / "my_mixes-1.0.dist-info").rename(tmp_path / "gone")
    site.rename(tmp_path / "old-site")
    changed = plugin_source("fancy") + "\nCHANGED = True\n"
    install("my-mixes", changed, version="2.0")
    # The baseline's cells are the same; those of the new version are not.
    assert "2 in the store, 2 to compute" in augbench(*arguments)[2]
    with Store.read(out) as store:
        studies = [store.study(number) for number in (1, 2)]
    versions = [study.description["arms"][1]["pipeline"][0][0]["version"] for study in studies]
    assert versions == ["1.0", "2.0"]
    keys = [{cell.key for cell in study.cells} for study in studies]
    assert len(keys[0] & keys[1]) == 2
    for number in ("1", "2"):
        code, printed, _ = augbench("report", "--out", out, "--study", number, "--no-figures")
        assert code == 0
        assert "fancy" in printed
