"""Render the study's pages from its committed stores: `python docs/study/pages.py`.

Each page stands in `pages/` as a Jinja template. No template holds a number that a store, a study
file or a data set could tell: those are expressions, so that a page can say nothing else than what
was measured. Figures are drawn beside them. `--check` writes nothing, and tells what differs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import jinja2
from claims import ALPHA, ARMS, LARGE, SMALL, Finding, claims
from experiment import CONDITIONS, TRAINED_SHORT, Experiment
from stores import (
    HERE,
    NAMES,
    PAIRS,
    PHOTOGRAPHS,
    answer,
    collapsed,
    established,
    level,
    missing,
    one_device,
    progress,
    row_of,
    scores,
    settings_of,
    study,
    worth,
)
from twice import twice

from augbench.reports._formatting import interval_text, number_text, p_text, signed_text
from augbench.statistics import MeanInterval, mean_interval

TEMPLATES = HERE / "pages"


def points(value: float, places: int = 1) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return signed_text(100 * value, places)


def fine(one: MeanInterval) -> int:
    """The decimals of a difference in points: two where one would leave nearly nothing of it."""
    return 2 if abs(one.mean) < 0.005 else 1


def percent(value: float, places: int = 1) -> str:
    """A share in per cent, without the sign of it."""
    return number_text(100 * value, places)


def magnitude(value: float) -> str:
    """The size of a difference in percentage points."""
    return percent(abs(value))


def sure(*claims: bool) -> str:
    """Nothing, for a sentence of a page that holds; raises `ValueError` where it holds no more."""
    if not all(claims):
        raise ValueError("a sentence of this page no longer agrees with the stores")
    return ""


def interval(one: MeanInterval, places: int = 1) -> str:
    """An interval of a difference in points."""
    return interval_text(100 * one.lower, 100 * one.upper, places, sign=True)


def between(found: Mapping[str, Finding]) -> str:
    """The least and the greatest of some differences in points, without their sign."""
    least, *_, most = sorted(abs(one.difference.mean) for one in found.values())
    return f"{percent(least)} to {percent(most)}"


def counted(found: Mapping[str, Finding], verdict: str) -> int:
    """The number of pairs on which a claim has that verdict."""
    return [one.verdict for one in found.values()].count(verdict)


def all_are(found: Mapping[str, Finding], *verdicts: str) -> bool:
    """True if a claim has one of the verdicts on every pair that it was tested on."""
    return {one.verdict for one in found.values()} <= set(verdicts)


def around(one: MeanInterval) -> str:
    """A mean accuracy in per cent with half its interval's width."""
    return f"{percent(one.mean)} ± {percent(one.half_width)}"


def environment() -> jinja2.Environment:
    """Jinja with what pages may ask."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown
    )
    made.filters |= {
        "points": points,
        "percent": percent,
        "interval": interval,
        "magnitude": magnitude,
        "around": around,
        "p": p_text,
        "commas": lambda number: f"{number:,}",
    }
    made.globals |= {
        "NAMES": NAMES,
        "PAIRS": PAIRS,
        "PHOTOGRAPHS": PHOTOGRAPHS,
        "ARMS": ARMS,
        "SMALL": SMALL,
        "LARGE": LARGE,
        "CONDITIONS": CONDITIONS,
        "TRAINED_SHORT": TRAINED_SHORT,
        "CONFIDENCE": "95 %",
        "ALPHA": ALPHA,
        "LEVEL": f"{100 * ALPHA:.0f} %",
        "claims": {claim.key: claim for claim in claims()},
        "study": study,
        "answer": answer,
        "collapsed": collapsed,
        "row_of": row_of,
        "established": established,
        "one_device": one_device,
        "worth": worth,
        "missing": missing,
        "level": level,
        "twice": twice,
        "progress": progress,
        "settings": settings_of,
        "scores": scores,
        "mean": mean_interval,
        "handout": Experiment(),
        "between": between,
        "zip": zip,
        "counted": counted,
        "all_are": all_are,
        "fine": fine,
        "sure": sure,
    }
    return made


def rendered() -> dict[Path, str]:
    """The text of every page, by the file that it belongs into."""
    made = environment()
    return {
        # Expressions that say nothing leave blank lines and ends behind.
        HERE / name.removesuffix(".j2"): re.sub(
            r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", made.get_template(name).render())
        )
        for name in made.list_templates(filter_func=lambda one: one.endswith(".md.j2"))
    }


def main() -> None:
    """Render all pages and draw the figures, or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; tell what differs")
    check = parser.parse_args().check
    differing = 0
    for path, text in rendered().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            differing += 1
            if not check:
                path.write_text(text, encoding="utf-8")
            print(f"{path.name}: {'differs from what its stores say' if check else 'written'}")
    if not check:
        from figures import draw

        for path in draw():
            print(f"{path.name}: drawn")
    sys.exit(1 if check and differing else 0)


if __name__ == "__main__":
    main()
