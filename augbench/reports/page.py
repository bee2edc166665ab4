"""The HTML report: one page that needs nothing but itself.

Everything that comes from outside (names, errors, commands) is escaped by the template engine, and
by `embedded_json` inside the data block. The page's policy lets it run one script and one style
sheet, named by their hashes, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from augbench import __version__
from augbench.errors import StoreError
from augbench.pictures.archive import Picture
from augbench.reports.comparability import mismatches
from augbench.reports.more_tables import (
    blocks_table,
    calibration_table,
    cells_table,
    for_new_images,
    transfer_table,
)
from augbench.reports.payload import page_data
from augbench.reports.sketch import sketch
from augbench.reports.tables import Table, accuracy_table, effects_table, sizes_table
from augbench.results import Pair, StudyResult
from augbench.statistics import Analysis, Verdict, verdict

__all__ = ["embedded_json", "render_page", "save_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("base.js", "choices.js", "chart.js", "tables.js")  # one script element, in this order


def save_page(
    result: StudyResult, path: Path, *, pictures: Sequence[Picture] = (), confidence: float = 0.95
) -> None:
    """Write the page; raises `StoreError` if that is impossible."""
    text = render_page(result, pictures=pictures, confidence=confidence)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise StoreError(
            f"cannot write {str(path)!r} ({error.strerror}); name a writable file with --html"
        ) from error


def render_page(
    result: StudyResult, *, pictures: Sequence[Picture] = (), confidence: float = 0.95
) -> str:
    """The whole page: the same text for the same store."""
    analyses = [result.analysis(pair, confidence=confidence) for pair in result.pairs]
    verdicts = [verdict(one) if one else [] for one in analyses]
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
    return engine.get_template("report.html").render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=embedded_json(page_data(result, analyses, verdicts, confidence)),
        version=__version__,
        stored=result.stored,
        study=result.stored.description,
        result=result,
        counts=Counter(cell.status for cell in result.cells),
        pairs=[
            _pair(result, i, pair, analysis, said, confidence)
            for i, (pair, analysis, said) in enumerate(
                zip(result.pairs, analyses, verdicts, strict=True)
            )
        ],
        blocks=blocks_table(result, "blocks", confidence),
        cells=cells_table(result, "cells"),
        galleries=_galleries(pictures),
        environments=_environments(result),
        mismatches=mismatches(result),
        confidence=f"{100 * confidence:g} %",
        alpha=", ".join({f"{100 * one.alpha:g} %": None for one in analyses if one}) or "5 %",
        one_seed=result.seeds == 1,
        exact=_exact,
    )


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


def _pair(
    result: StudyResult,
    number: int,
    pair: Pair,
    analysis: Analysis | None,
    verdicts: Sequence[Verdict],
    confidence: float,
) -> dict[str, Any]:
    compared = analysis is not None and analysis.comparisons
    tables: list[Table | None] = []
    if analysis is not None and compared:
        beyond = for_new_images(result, pair, analysis)
        tables += [
            effects_table(analysis, f"effects-{number}"),
            sizes_table(analysis, f"sizes-{number}", beyond),
        ]
    tables += [
        accuracy_table(result, pair, f"accuracy-{number}", confidence),
        calibration_table(result, pair, f"calibration-{number}", confidence),
        transfer_table(result, pair, f"transfer-{number}", confidence),
    ]
    return {
        "pretrain": pair[0],
        "finetune": pair[1],
        "verdicts": verdicts,
        "sketch": sketch(result, pair, confidence),
        "remarks": result.remarks(analysis) if analysis is not None else (),
        "tables": [table for table in tables if table is not None],
    }


def _galleries(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """For each data set the originals, and each augmentation's results, as (image, caption)."""
    galleries: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        gallery = galleries.setdefault(
            picture.dataset, {"dataset": picture.dataset, "originals": [], "rows": []}
        )
        if not picture.problem and not gallery["originals"]:
            gallery["originals"] = [_png(image) for image in picture.originals]
        shown = zip(picture.results, picture.captions, strict=True)
        gallery["rows"].append(
            {
                "augmentation": picture.augmentation,
                "problem": picture.problem,
                "images": [(_png(image), caption) for image, caption in shown],
            }
        )
    return list(galleries.values())


def _png(image: NDArray[np.uint8]) -> str:
    """A data URI of an image [C, H, W]."""
    grey = len(image) != 3
    file = io.BytesIO()
    Image.fromarray(image[0] if grey else np.ascontiguousarray(image.transpose(1, 2, 0))).save(
        file, format="PNG", optimize=False
    )
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _environments(result: StudyResult) -> list[dict[str, Any]]:
    """Each environment with how many cells it computed, and what sets it apart from the first."""
    found = result.environments()
    counts = Counter(row["environment"] for row in result.cell_rows())
    return [
        {
            "cells": counts[i],
            "entries": [
                (name, str(value), value != found[0].get(name)) for name, value in one.items()
            ],
        }
        for i, one in enumerate(found)
    ]


def _exact(value: Any) -> str:
    """A number for an attribute, in full precision; nothing where it is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)
