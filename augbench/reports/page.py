"""The HTML report: one page that needs nothing but itself.

The page is made of chapters, and these of sections: each chapter is a template that shows the
words, tables and values of the sections that name it as theirs.

Everything that comes from outside (names, errors, commands) is escaped by the template engine, and
by `embedded_json` inside the data block. The page's policy lets it run one script and one style
sheet, named by their hashes, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from augbench import __version__
from augbench.pictures.archive import Picture
from augbench.reports import sections
from augbench.reports._ranking import by_effect
from augbench.reports._tables import Table
from augbench.reports.sections import Report, Section
from augbench.reports.sections.answer import arm_id
from augbench.results import Pair, StudyResult
from augbench.writing import save

__all__ = ["embedded_json", "render_page", "save_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (
    "base.js",
    "choices.js",
    "chart.js",
    "tables.js",
    "filter.js",
)  # one script element, in this order
_NAMED = 6
"""Augmentations that the page names in its heading."""
_CHAPTERS = {
    "answer": "Answer",
    "curves": "Curves",
    "verdict": "Arm by arm",
    "shift": "Under shift",
    "numbers": "Numbers",
    "gallery": "Gallery",
    "status": "Cells",
    "settings": "Settings",
    "environment": "Environment",
    "data-download": "Data",
}
"""Names of anchors and templates, and titles, in the order of the page."""


def save_page(
    result: StudyResult,
    path: Path,
    *,
    pictures: Sequence[Picture] = (),
    confidence: float = 0.95,
    registered: str = "",
) -> None:
    """Write the page; raises `StoreError` if that is impossible. See `render_page`."""
    text = render_page(result, pictures=pictures, confidence=confidence, registered=registered)
    save(path, text, hint="name a writable file with --html")


def render_page(
    result: StudyResult,
    *,
    pictures: Sequence[Picture] = (),
    confidence: float = 0.95,
    registered: str = "",
) -> str:
    """The whole page: the same text for the same store.

    `registered` is the line on how the study was registered, see `augbench.registration`.
    """
    report = Report(result, confidence, tuple(pictures), registered=registered)
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    values = {section.name: section.page(report) for section in sections.SECTIONS}
    shown = {one.chapter for one in sections.SECTIONS if values[one.name] is not None}
    data: dict[str, Any] = {}
    for section in sections.SECTIONS:
        data.update(section.data(report))
    analyses = [report.analysis(pair) for pair in result.pairs]
    return engine.get_template("report.html").render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=embedded_json(data),
        version=__version__,
        result=result,
        heading=_heading(result),
        chapters={name: title for name, title in _CHAPTERS.items() if name in shown},
        values=values,
        pairs=[_pair(report, number, pair) for number, pair in enumerate(result.pairs)],
        study_tables=_study_tables(report),
        confidence=f"{100 * confidence:g} %",
        alpha=", ".join({f"{100 * one.alpha:g} %": None for one in analyses if one}) or "5 %",
        one_seed=result.seeds == 1,
        exact=_exact,
    )


def _heading(result: StudyResult) -> str:
    """The augmentations of a study by name, or how many they are."""
    others = [label for label in result.augmentations if label != result.baseline]
    return ", ".join(others) if len(others) <= _NAMED else f"{len(others)} augmentations"


def embedded_json(tree: Any) -> Markup:
    """JSON that cannot end its <script> element, whatever names are in it."""
    text = json.dumps(tree, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _pair(report: Report, number: int, pair: Pair) -> dict[str, Any]:
    """The words and tables of all sections on one pair; tables are numbered by pair."""
    words = [one for section in sections.SECTIONS for one in section.words(report, pair)]
    order = by_effect(report.result, pair)
    arms = sorted((one for one in words if one.about), key=lambda one: order.index(one.about))
    tables = [_named_by_view(one, report, one.table(report, pair)) for one in sections.SECTIONS]
    return {
        "pretrain": pair[0],
        "finetune": pair[1],
        "arms": [(arm_id(report, number, one.about), one) for one in arms],
        "findings": [one for one in words if one.kind and not one.about],
        "remarks": [one for one in words if not one.kind],
        "tables": [replace(one, name=f"{one.name}-{number}") for one in tables if one is not None],
    }


def _study_tables(report: Report) -> dict[str, list[Table]]:
    """The tables over the whole study, by the chapter in which they stand."""
    tables: dict[str, list[Table]] = {name: [] for name in _CHAPTERS}
    for section in sections.SECTIONS:
        table = _named_by_view(section, report, section.study_table(report))
        if table is not None:
            tables[section.chapter].append(table)
    return tables


def _named_by_view(section: Section, report: Report, table: Table | None) -> Table | None:
    """A table whose caption says which readout it is about, unless that is the usual one."""
    remark = report.result.view.remark
    if table is None or not section.of_view or not remark:
        return table
    return replace(table, caption=f"{table.caption}{remark}")


def _exact(value: Any) -> str:
    """A number for an attribute, in full precision; nothing where it is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
