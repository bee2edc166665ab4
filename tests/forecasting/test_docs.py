import contextlib
import io
import re
from pathlib import Path

import pytest

from augbench.cli._power import power_command
from augbench.forecasting.typical import GLYPHS, HANDWRITING

PAGE = (Path(__file__).parents[2] / "docs" / "planning.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_prints_what_the_page_shows(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, shown = re.search(
        r"```python\n(.*?)```\n\n<!-- output -->\n\n```text\n(.*?)```", PAGE, re.DOTALL
    ).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/planning.md", "exec"), {})
    assert printed.getvalue() == shown


def test_the_table_of_options_is_that_of_the_command():
    (table,) = re.findall(r"\| option of `augbench power`.*?\n\n", PAGE, re.DOTALL)
    listed = set(re.findall(r"^\| `(--[a-z-]+)`", table, re.MULTILINE))
    names = {name for option in power_command.params for name in option.opts}
    assert listed == {name for name in names if name.startswith("--")}


def test_the_typical_noise_is_that_of_the_table():
    rows = re.findall(r"^\| (?:`glyph-digits`|MNIST) →[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
    for row, typical in zip(rows, (GLYPHS, HANDWRITING), strict=True):
        noise = typical.noise
        told = [float(part) for part in row.split("|")]
        assert told == pytest.approx(
            [100 * float(sd) for sd in (*noise.sd_by_size, noise.sd_of_area)], abs=0.051
        )
