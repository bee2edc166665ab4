"""The page on tuning shows what is."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import qmc

from augbench.errors import OptionError
from augbench.options import Settings, options_of
from augbench.tuning.points import unit_points
from augbench.tuning.spaces import TUNABLE, parsed_spaces, shared_dimensions

PAGE = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_shows():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"<!-- output -->\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/tuning.md", "exec"), {})
    assert printed.getvalue() == shown


def test_everything_in_the_table_of_what_is_written_is_understood():
    table = PAGE.partition("| written | tuned |")[2].partition("\n\n")[0]
    written = re.findall(r"^\| `([^`]*)` \|", table, flags=re.MULTILINE)
    assert len(written) == 7
    for one in written:
        parsed_spaces(one)
    with pytest.raises(OptionError):
        parsed_spaces("what the page does not say")


def test_the_table_of_settings_names_them_all_with_their_ranges():
    table = PAGE.partition("| setting | range of ours | why |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    flags = {options_of(Settings)[name].spellings[-1] for name in TUNABLE}
    plain = {name for name in TUNABLE if not name.startswith(("finetune_", "full_"))}
    assert named <= flags | set(TUNABLE)
    assert {options_of(Settings)[one].spellings[-1] for one in plain} <= named
    for one in shared_dimensions(parsed_spaces(sorted(plain - {"learning_rate"})), Settings()):
        low, high = (f"{bound:g}".replace("e-0", "e-") for bound in (one.low, one.high))
        assert f"{low} to {high}{', log' if one.log else ''}" in table


def test_the_discrepancies_are_what_the_page_says():
    def relative(points):
        rng = np.random.default_rng(0)
        random = [qmc.discrepancy(rng.random(points.shape)) for _ in range(400)]
        return f"{qmc.discrepancy(points) / np.mean(random):.2f}"

    text = " ".join(PAGE.split())
    ours = [relative(unit_points(15, d)) for d in (1, 2, 3, 4, 8)]
    plain = [relative(qmc.Halton(d, scramble=False).random(15)) for d in (1, 2, 3, 4, 8)]
    assert "{}, {}, {} and {} times the mean".format(*ours) in text
    assert "has {}, {}, {} and {}, and in 8 dimensions".format(*plain) in text
    assert f"({plain[4]}; ours {ours[4]})" in text
