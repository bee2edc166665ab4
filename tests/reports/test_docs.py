import importlib
import re
from pathlib import Path

import pytest
from synthetic import fill, make_study

from augbench.cli import cli
from augbench.reports.figures import save_figures
from augbench.results import StudyResult
from augbench.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


def _options(verb):
    command = getattr(importlib.import_module(f"augbench.cli._{verb}"), f"{verb}_command")
    return {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def test_every_command_and_option_of_the_page_exists():
    lines = re.sub(r"\\\n", " ", PAGE)
    calls = re.findall(r"augbench (run|report|export|merge|compare)\b([^`\n]*)", lines)
    assert {verb for verb, _ in calls} == {"run", "report", "export", "merge", "compare"}
    for verb, rest in calls:
        assert set(re.findall(r"--[a-z-]+", rest)) <= _options(verb), (verb, rest)
        assert verb in cli.list_commands(None)


def test_the_table_of_options_is_that_of_the_command():
    (table,) = re.findall(r"\| option of `augbench report`.*?\n\n", PAGE, re.DOTALL)
    listed = set(re.findall(r"^\| `(--[a-z-]+)`", table, re.MULTILINE))
    assert listed == {name for name in _options("report") if name.startswith("--")}


@pytest.mark.usefixtures("figures_by_name")
@pytest.mark.parametrize("tuning", [None, {"trials": 3}])
def test_the_table_of_figures_is_what_is_drawn(tuning, tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=1, sizes=(1,), tuning=tuning))
    with Store.read(tmp_path) as store:
        drawn = save_figures(StudyResult(store.study()), tmp_path / "figures", train_curves=True)
    (table,) = re.findall(r"\| file \| shows.*?\n\n", PAGE, re.DOTALL)
    patterns = [
        re.escape(name).replace("PAIR", "digits-to-letters").replace("…", ".*")
        for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    ]
    for path in drawn:
        name = str(path.relative_to(tmp_path / "figures").with_suffix(""))
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    fill(tmp_path / "augbench-results", make_study(["mixup"], seeds=2))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/report.md", "exec"), {})
    label, size, seed = capsys.readouterr().out.split()
    assert label in ("none", "mixup")
    assert size == "8"
    assert seed in ("0", "1")


@pytest.mark.parametrize("word", ["AULC", "sign-flip", "Holm", "label multiplier"])
def test_the_terms_of_the_verdict_are_explained_in_the_statistics_page(word):
    statistics = Path(__file__).parents[2] / "docs" / "statistics.md"
    assert word.replace("-", " ").lower() in statistics.read_text().replace("-", " ").lower()
