"""Paths that the pages name exist, and so do the pages and headings that they link to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "MEASUREMENTS.md",
]
ROOMS = {module.parent.name for module in (ROOT / "augbench").glob("*/__init__.py")}
FOLDERS = ROOMS | {"augbench", "benchmarks", "docs", "examples", "plugins", "tests", "tools"}
ONCE = {"engines"}  # rooms of earlier versions


def without_code(page):
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def paths_of(page):
    """Paths between backticks that begin with a folder of the repository or of the package."""
    for name in re.findall(r"`([\w.-]+/[\w./-]*)`", without_code(page)):
        if name.split("/")[0] in FOLDERS | ONCE:
            yield name


def anchors_of(page):
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page):
    missing = [
        name
        for name in paths_of(page)
        if not (ROOT / name).exists() and not (ROOT / "augbench" / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", without_code(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors_of(there), target


def test_paths_are_found():
    found = {name for page in PAGES for name in paths_of(page)}
    assert {"augbench/training/reference.py", "benchmarks/plain_loop.py"} <= found
