from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from augbench import statistics

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_shows() -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    assert shown is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code[1], "docs/statistics.md", "exec"), {})
    assert printed.getvalue() == shown[1]


def test_every_function_that_the_page_names_exists() -> None:
    table = re.search(r"\| question .*?\n\n", PAGE, re.DOTALL)
    assert table is not None
    names = re.findall(r"`(\w+)`", table[0])
    assert len(names) > 20
    assert set(names) <= set(statistics.__all__)
