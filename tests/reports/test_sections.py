"""A section is one file; page, terminal and figures show what it has."""

import io

import pytest
from rich.console import Console
from synthetic import fill, make_study
from tables import Page

from augbench.reports import sections
from augbench.reports._tables import Column, Entry, Table
from augbench.reports.figures import save_figures
from augbench.reports.page import render_page
from augbench.reports.sections import SECTIONS, NamedFigure, Paragraph, Section
from augbench.reports.terminal import print_results
from augbench.results import StudyResult
from augbench.store import Store

PAIRS = (("digits", "letters"), ("digits", "digits"))


@pytest.fixture
def result(tmp_path):
    fill(tmp_path / "store", make_study(["mixup"], pairs=PAIRS, seeds=3, sizes=(1, 2)))
    with Store.read(tmp_path / "store") as store:
        return StudyResult(store.study())


class BestSeed(Section):
    """All that a contributor writes for a section."""

    name = "best-seed"

    def _best(self, report, pair):
        return report.result.values(pair, "mixup").max(axis=0)

    def words(self, report, pair):
        return [Paragraph(f"The best seed reaches {self._best(report, pair)[0]:.3f} <b>.")]

    def table(self, report, pair):
        columns = (Column("augmentation", "augmentation", words=True), Column("best", "best"))
        best = float(self._best(report, pair)[0])
        return Table(self.name, "The best", columns, ((Entry("m"), Entry(f"{best:.3f}", best)),))

    def terminal_table(self, report, pair):
        return self.table(report, pair)

    def figures(self, report, pair):
        from matplotlib.figure import Figure

        figure = Figure()
        figure.add_subplot().plot(self._best(report, pair))
        yield NamedFigure(f"best-seed-{pair[1]}", figure, ("png",))

    def study_table(self, report):
        columns = (Column("augmentation", "augmentation", words=True), Column("n", "seeds"))
        return Table("seeds", "Seeds", columns, ((Entry("m"), Entry("3", 3)),))

    def closing_lines(self, report):
        return ("That was the best seed.",)


@pytest.mark.usefixtures("figures_by_name")
def test_a_new_section_stands_in_page_terminal_and_figures(result, tmp_path, monkeypatch):
    monkeypatch.setattr(sections, "SECTIONS", (*SECTIONS, BestSeed()))
    page = Page(render_page(result))
    printed = io.StringIO()
    print_results(result, Console(file=printed, width=100))
    drawn = {path.name for path in save_figures(result, tmp_path / "figures")}
    for number, pair in enumerate(PAIRS):
        best = result.values(pair, "mixup").max(axis=0)[0]
        sentence = f"The best seed reaches {best:.3f} <b>."
        assert page.tables[f"best-seed-{number}"][0]["best"].number == best
        assert sentence in page.words
        assert sentence in printed.getvalue()
        assert printed.getvalue().count(f" {best:.3f} ") == 2
        assert f"best-seed-{pair[1]}.png" in drawn
    assert page.tables["seeds"][0]["n"].number == 3
    assert printed.getvalue().endswith("That was the best seed.\n")


def test_each_section_names_a_chapter_of_the_page_and_no_name_is_used_twice(result):
    page = Page(render_page(result))
    anchors = {given.get("id") for tag, given in page.tags if tag == "section"}
    assert {one.chapter for one in SECTIONS if one.name not in ("gallery", "shift")} <= anchors
    assert len({one.name for one in SECTIONS}) == len(SECTIONS)


def test_the_page_links_each_of_its_chapters(result):
    page = Page(render_page(result))
    anchors = [given["id"] for tag, given in page.tags if tag == "section"]
    links = [given["href"] for tag, given in page.tags if tag == "a" and "class" not in given]
    assert links[: len(anchors)] == [f"#{anchor}" for anchor in anchors]
