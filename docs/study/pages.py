"""Render the study's pages from its committed stores: `python docs/study/pages.py`.

Each page stands in `pages/` as a Jinja template. No template holds a number that a store, a study
file or a data set could tell: those are expressions, so that a page can say nothing else than what
was measured. Figures are drawn beside them. `--check` writes nothing, and tells what differs.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cached_property
from pathlib import Path

import jinja2
from claims import (
    ALPHA,
    LARGE,
    SMALL,
    Finding,
    Scores,
    at_best,
    claims,
    same_better,
    tested,
)
from stores import (
    HERE,
    PAIRS,
    PHOTOGRAPHS,
    answer,
    progress,
    scores,
    settings_of,
    study,
    worth,
)

from augbench.reports._formatting import interval_text, number_text, p_text, signed_text
from augbench.statistics import MeanInterval, mean_interval

TEMPLATES = HERE / "pages"

CONDITIONS = {
    "shorter": "a quarter of the steps",
    "handout": "the handout's steps",
    "longer": "4 times the steps",
    "longest": "16 times the steps",
    "best": "each arm at its best length",
    "dropout": "dropout left on",
    "tuned": "every arm tuned",
}


LENGTHS = ("shorter", "handout", "longer", "longest")
"""The conditions that differ in the length of pretraining alone."""


class Experiment:
    """The handout's experiment in every condition, each computed when a page first asks for it."""

    arms = ("none", "collage", "mixup")

    @cached_property
    def budgets(self) -> dict[str, str]:
        """The lengths of pretraining, by condition."""
        steps = settings_of(f"{PAIRS[0]}-budgets")["pretrain_steps"]
        found = {name: f"{amount:,} steps" for name, amount in zip(LENGTHS, steps, strict=True)}
        return found | {"dropout": found["handout"], "tuned": found["handout"]}

    @cached_property
    def scores(self) -> dict[str, dict[str, Scores]]:
        """Accuracies by condition and pair, of what was computed."""
        found = {}
        for name, budget in self.budgets.items():
            ending = f"-{name}" if name in ("dropout", "tuned") else ""
            every = {p: scores(f"{p}{ending}", budget, name == "tuned") for p in PAIRS}
            found[name] = {pair: each for pair, each in every.items() if each is not None}
        known = [name for name in LENGTHS if found[name].keys() == set(PAIRS)]
        found["best"] = {pair: at_best([found[name][pair] for name in known]) for pair in PAIRS}
        return found

    def told_length(self, condition: str) -> str:
        """The length of pretraining in a condition, in words."""
        known = [one for one in LENGTHS if self.scores[one].keys() == set(PAIRS)]
        steps = [self.budgets[one].removesuffix(" steps") for one in known]
        return self.budgets.get(condition, f"{', '.join(steps[:-1])} or {steps[-1]} steps")

    @cached_property
    def found(self) -> dict[str, dict[str, dict[str, Finding]]]:
        """The tests of all claims, by condition, claim and pair."""
        return {name: tested(by_pair) for name, by_pair in self.scores.items()}

    @cached_property
    def same(self) -> dict[str, dict[str, Finding]]:
        """Whether the same data set is better than two, by condition, data set and arm."""
        return {name: same_better(by_pair, self.arms) for name, by_pair in self.scores.items()}

    def seeds(self, condition: str) -> list[int]:
        """The numbers of seeds that a condition has on its pairs."""
        return sorted({len(each.seeds) for each in self.scores[condition].values()})

    def accuracy(self, pair: str, arm: str, size: int, condition: str = "handout") -> MeanInterval:
        """The mean accuracy at one size, over seeds."""
        return mean_interval(self.scores[condition][pair].mean(arm, (size,)))

    def gain(
        self, pair: str, arm: str, size: int, condition: str = "handout", over: str = "none"
    ) -> MeanInterval:
        """The mean difference of two arms at one size, over seeds."""
        return mean_interval(self.scores[condition][pair].gain(arm, (size,), over))

    def counted(self, condition: str, claim: str, verdict: str) -> int:
        """On how many pairs a claim has that verdict."""
        return [one.verdict for one in self.found[condition][claim].values()].count(verdict)

    def turns(self, pair: str, arm: str) -> tuple[int | None, int | None]:
        """The largest size at which an arm is established to help, and the least where it hurts."""
        found = answer(pair, self.budgets["handout"])
        assert found is not None
        (row,) = (one for one in found.rows if one.augmentation == arm)
        claims = [(size, p.claim) for size, p in zip(found.sizes, row.points, strict=True)]
        return (
            max((size for size, claim in claims if claim > 0), default=None),
            min((size for size, claim in claims if claim < 0), default=None),
        )

    def disagree(self, pair: str, one: str, other: str, size: int) -> float:
        """The chance that two groups of one seed each put two arms in different orders."""
        gains = self.scores["handout"][pair].gain(one, (size,), other)
        ahead, n = int((gains > 0).sum()), len(gains)
        return 2 * ahead * (n - ahead) / (n * (n - 1))


def points(value: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return signed_text(100 * value, 1)


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


def interval(one: MeanInterval) -> str:
    """An interval of a difference in points."""
    return interval_text(100 * one.lower, 100 * one.upper, 1, sign=True)


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
        "PAIRS": PAIRS,
        "PHOTOGRAPHS": PHOTOGRAPHS,
        "SMALL": SMALL,
        "LARGE": LARGE,
        "CONDITIONS": CONDITIONS,
        "CONFIDENCE": "95 %",
        "LEVEL": f"{100 * ALPHA:.0f} %",
        "claims": {claim.key: claim for claim in claims()},
        "study": study,
        "answer": answer,
        "worth": worth,
        "progress": progress,
        "settings": settings_of,
        "scores": scores,
        "mean": mean_interval,
        "handout": Experiment(),
        "percent": percent,
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

        for path in draw(Experiment()):
            print(f"{path.name}: drawn")
    sys.exit(1 if check and differing else 0)


if __name__ == "__main__":
    main()
