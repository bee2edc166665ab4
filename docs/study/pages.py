"""Render the study's pages from its committed stores: `python docs/study/pages.py`.

Each page stands in `pages/` as a Jinja template. No template holds a number that a store, a study
file or a data set could tell: those are expressions, so that a page can say nothing else than what
was measured. `--check` renders, and compares with what is there.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from claims import LARGE, SMALL, Finding, claims, same_better, tested
from stores import HERE, PAIRS, PHOTOGRAPHS, STUDIES, has, registered, scores, study

from augbench.statistics import MeanInterval, mean_interval

TEMPLATES = HERE / "pages"
MINUS = "−"

CONDITIONS = {
    "handout": "the handout's steps",
    "shorter": "a quarter of the steps",
    "longer": "4 times the steps",
    "longest": "16 times the steps",
    "dropout": "dropout left on",
    "tuned": "every arm tuned",
}


class Experiment:
    """The handout's experiment in every condition, each computed when a page first asks for it."""

    @cached_property
    def budgets(self) -> dict[str, str]:
        """The stored names of the lengths of pretraining, by condition."""
        short, handout, long, longest = study(PAIRS[0]).budgets
        return {"shorter": short, "handout": handout, "longer": long, "longest": longest}

    @cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        """Accuracies, by condition and pair."""
        found = {
            name: {pair: scores(pair, budget) for pair in PAIRS}
            for name, budget in self.budgets.items()
        }
        found["dropout"] = {pair: scores(f"{pair}-dropout") for pair in PAIRS}
        found["tuned"] = {pair: scores(f"{pair}-tuned", tuned=True) for pair in PAIRS}
        return found

    @cached_property
    def found(self) -> dict[str, dict[str, dict[str, Finding]]]:
        """What the seeds say, by condition, claim and pair."""
        return {name: tested(by_pair) for name, by_pair in self.scores.items()}

    @cached_property
    def same(self) -> dict[str, dict[str, Finding]]:
        """Whether the same data set is better than two, by condition, data set and arm."""
        return {
            name: same_better(by_pair, ("none", "collage", "mixup"))
            for name, by_pair in self.scores.items()
        }

    def accuracy(self, condition: str, pair: str, arm: str, size: int) -> MeanInterval:
        """The mean accuracy at one size, over seeds."""
        return mean_interval(self.scores[condition][pair].mean(arm, (size,)))

    def gain(self, condition: str, pair: str, arm: str, size: int) -> MeanInterval:
        """The mean difference from the baseline at one size, over seeds."""
        return mean_interval(self.scores[condition][pair].gain(arm, (size,)))

    def verdicts(self, condition: str, claim: str) -> dict[str, int]:
        """On how many pairs a claim is confirmed, refuted and undecided."""
        every = [one.verdict for one in self.found[condition][claim].values()]
        return {word: every.count(word) for word in ("confirmed", "refuted", "undecided")}


def points(value: float, places: int = 1) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    text = f"{100 * value:+.{places}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("+-")


def percent(value: float, places: int = 1) -> str:
    """A share in per cent, without the sign of it."""
    return f"{100 * value:.{places}f}"


def interval(one: MeanInterval) -> str:
    """An interval of a difference in points."""
    return f"{points(one.lower)} to {points(one.upper)}"


def around(one: MeanInterval) -> str:
    """A mean accuracy in per cent with half its interval's width."""
    return f"{percent(one.mean)} ± {percent((one.upper - one.lower) / 2)}"


def p_value(value: float) -> str:
    """A p-value to two digits."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def settings(name: str) -> dict[str, Any]:
    """A study file as it stands."""
    return tomllib.loads((STUDIES / f"{name}.toml").read_text(encoding="utf-8"))


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
        "around": around,
        "p": p_value,
    }
    made.globals |= {
        "PAIRS": PAIRS,
        "PHOTOGRAPHS": PHOTOGRAPHS,
        "SMALL": SMALL,
        "LARGE": LARGE,
        "CONDITIONS": CONDITIONS,
        "claims": list(claims()),
        "study": study,
        "has": has,
        "registered": registered,
        "settings": settings,
        "scores": scores,
        "mean": mean_interval,
        "handout": Experiment(),
        "np": np,
    }
    return made


def rendered() -> dict[Path, str]:
    """The text of every page, by the file that it belongs into."""
    made = environment()
    return {
        HERE / name.removesuffix(".j2"): made.get_template(name).render()
        for name in made.list_templates(filter_func=lambda one: one.endswith(".md.j2"))
    }


def main() -> None:
    """Render all pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; tell what differs")
    check = parser.parse_args().check
    differing = [
        path
        for path, text in rendered().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in differing:
        if not check:
            path.write_text(rendered()[path], encoding="utf-8")
        print(f"{path.name}: {'differs from its store' if check else 'written'}")
    sys.exit(1 if check and differing else 0)


if __name__ == "__main__":
    main()
