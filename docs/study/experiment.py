"""The handout's experiment in every condition, as the pages ask for it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from claims import (
    ARMS,
    Finding,
    Scores,
    at_best,
    best_of,
    changed,
    findings,
    same_better,
    tested,
)
from numpy.typing import NDArray
from stores import PAIRS, one_device, own_heads, row_of, scores, settings_of, untrained

from augbench.reports.answer import Point
from augbench.statistics import MeanInterval, mean_interval

LENGTHS = ("shortest", "shorter", "handout", "longer", "longest")
"""The conditions that differ in the length of pretraining alone."""

TRAINED_SHORT = LENGTHS[:2]
"""Those of them that are shorter than the handout's."""

CONDITIONS = {
    "shortest": "a 16th of the steps",
    "shorter": "a quarter of the steps",
    "handout": "the handout's steps",
    "longer": "4 times the steps",
    "longest": "16 times the steps",
    "best": "each arm at its best length",
    "dropout": "dropout left on",
    "tuned": "every arm tuned",
}


class Experiment:
    """Scores and tests, each computed when it is first asked for."""

    @cached_property
    def budgets(self) -> dict[str, str]:
        """The length of pretraining in each condition, as stores name it."""
        steps = [settings_of(f"{PAIRS[0]}-shortest")["pretrain_steps"]]
        steps += settings_of(f"{PAIRS[0]}-budgets")["pretrain_steps"]
        found = {name: f"{amount:,} steps" for name, amount in zip(LENGTHS, steps, strict=True)}
        return found | {"dropout": found["handout"], "tuned": found["handout"]}

    @cached_property
    def scores(self) -> dict[str, dict[str, Scores]]:
        """Accuracies of all seeds that were computed, by condition and pair."""
        found = {}
        for name in self.budgets:
            every = {pair: scores(*self._place(name, pair)) for pair in PAIRS}
            found[name] = {pair: each for pair, each in every.items() if each is not None}
        return found

    @property
    def on_one_device(self) -> bool:
        """True where the arms that a condition compares are all of a GPU, or all of a CPU."""
        places = [self._place(name, pair) for name in self.budgets for pair in self.scores[name]]
        return all(one_device(*place) for place in places)

    def _place(self, condition: str, pair: str) -> tuple[str, str, bool]:
        """The store of a condition, its length of pretraining, and whether it is the tuned part."""
        ending = f"-{condition}" if condition in ("dropout", "tuned") else ""
        return f"{pair}{ending}", self.budgets[condition], condition == "tuned"

    @cached_property
    def found(self) -> dict[str, dict[str, Finding]]:
        """The tests of all claims at the handout's length on all seeds, by claim and pair."""
        return tested(self.scores["handout"])

    @cached_property
    def same(self) -> dict[str, Finding]:
        """The tests that the same data set is better than two, at the handout's length."""
        return same_better(self.scores["handout"], self.scores["handout"][PAIRS[0]].sizes, ARMS)

    @cached_property
    def same_at(self) -> dict[int, dict[str, Finding]]:
        """The same tests at each size."""
        there = self.scores["handout"]
        return {size: same_better(there, (size,), ARMS) for size in there[PAIRS[0]].sizes}

    # Conditions are compared on the seeds that all of them have: with more seeds, one of them would
    # establish more, and the difference would look like one of the conditions.

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that every condition has on every pair."""
        every = [one.seeds for by_pair in self.scores.values() for one in by_pair.values()]
        return tuple(sorted(set(every[0]).intersection(*every)))

    @cached_property
    def lengths(self) -> tuple[str, ...]:
        """The lengths of pretraining that were computed on every pair."""
        return tuple(name for name in LENGTHS if self.scores[name].keys() == set(PAIRS))

    @cached_property
    def shared(self) -> dict[str, dict[str, Scores]]:
        """Accuracies of the shared seeds, by condition and pair, in the order of the conditions."""
        found = {
            name: {pair: one.only(self.seeds, one.sizes) for pair, one in by_pair.items()}
            for name, by_pair in self.scores.items()
        }
        found["best"] = {
            pair: at_best([found[name][pair] for name in self.lengths]) for pair in PAIRS
        }
        return {name: found[name] for name in CONDITIONS if found[name]}

    @cached_property
    def found_in(self) -> dict[str, dict[str, dict[str, Finding]]]:
        """The tests of all claims on the shared seeds, by condition, claim and pair."""
        return {name: tested(by_pair) for name, by_pair in self.shared.items()}

    @cached_property
    def changed_in(self) -> dict[str, dict[str, dict[str, Finding]]]:
        """The change of each claim's difference from the handout's condition, on shared seeds."""
        return {
            name: self.changed_from(name, "handout") for name in self.shared if name != "handout"
        }

    def changed_from(self, name: str, other: str) -> dict[str, dict[str, Finding]]:
        """The change of each claim's difference from one condition to another."""
        return changed(self.shared[name], self.shared[other])

    @cached_property
    def same_in(self) -> dict[str, dict[str, Finding]]:
        """The tests that the same data set is better, by condition, on the shared seeds."""
        return {
            name: same_better(by_pair, by_pair[PAIRS[0]].sizes, ARMS)
            for name, by_pair in self.shared.items()
            if by_pair.keys() == set(PAIRS)
        }

    def best_lengths(self, pair: str) -> dict[str, list[str]]:
        """The length at which each arm is best, by size."""
        best: dict[str, NDArray[np.int_]] = best_of([self.shared[n][pair] for n in self.lengths])
        return {arm: [self.lengths[k] for k in each] for arm, each in best.items()}

    def length(self, condition: str) -> str:
        """The length of pretraining in a condition, in words."""
        steps = [self.budgets[one].removesuffix(" steps") for one in self.lengths]
        return self.budgets.get(condition, f"{', '.join(steps[:-1])} or {steps[-1]} steps")

    # At single sizes

    def accuracy(self, pair: str, arm: str, size: int) -> MeanInterval:
        """The mean accuracy at the handout's length, over all seeds."""
        return mean_interval(self.scores["handout"][pair].mean(arm, (size,)))

    def accuracy_in(self, condition: str, pair: str, arm: str, *sizes: int) -> MeanInterval:
        """The mean accuracy over some sizes, by default all, on the shared seeds."""
        there = self.shared[condition][pair]
        return mean_interval(there.mean(arm, sizes or there.sizes))

    def gain_in(self, condition: str, arm: str, size: int) -> dict[str, Finding]:
        """The tests that an arm helps at a size, by pair, on the shared seeds."""
        there = self.shared[condition]
        return findings({pair: one.gain(arm, (size,)) for pair, one in there.items()})

    def accuracy_changed(self, arm: str, size: int, now: str, then: str) -> dict[str, Finding]:
        """The change of an arm's accuracy from one condition to another, by pair."""
        return findings(
            {
                pair: one.mean(arm, (size,)) - self.shared[then][pair].mean(arm, (size,))
                for pair, one in self.shared[now].items()
            }
        )

    def untrained(self, pair: str) -> MeanInterval:
        """The mean accuracy of a head on a network that was not pretrained, over all seeds."""
        return mean_interval(untrained(pair, self.budgets["shortest"]))

    def pretraining_helps(self, condition: str, arm: str, size: int) -> dict[str, Finding]:
        """The tests that pretraining helps at all, by pair: against no pretraining."""
        return findings(
            {
                pair: one.mean(arm, (size,))
                - untrained(pair, self.budgets["shortest"])[list(one.seeds)]
                for pair, one in self.shared[condition].items()
            }
        )

    def gain(self, pair: str, arm: str, size: int, over: str = "none") -> MeanInterval:
        """The mean difference of two arms at the handout's length, over all seeds."""
        return mean_interval(self.scores["handout"][pair].gain(arm, (size,), over))

    def on_pairs(self, arm: str, size: int) -> tuple[int, int, float, float]:
        """The pairs on which an arm is established to help, and to hurt; its least and most."""
        points = [self._points(pair, arm)[size] for pair in PAIRS]
        means = [one.difference.mean for one in points]
        signs = [one.claim for one in points]
        return signs.count(1), signs.count(-1), min(means), max(means)

    def turns(self, pair: str, arm: str) -> tuple[int | None, int | None]:
        """The largest size at which an arm is established to help, and the least where it hurts."""
        claims = [(size, point.claim) for size, point in self._points(pair, arm).items()]
        return (
            max((size for size, claim in claims if claim > 0), default=None),
            min((size for size, claim in claims if claim < 0), default=None),
        )

    def _points(self, pair: str, arm: str) -> dict[int, Point]:
        """An arm's differences in the answer that AugBench gives at the handout's length."""
        row = row_of(pair, self.budgets["handout"], arm)
        return dict(zip(self.scores["handout"][pair].sizes, row.points, strict=True))

    def last_sizes(self, arm: str) -> list[int]:
        """The largest sizes at which an arm is established to help, of all pairs, in order."""
        return sorted({last for last, _ in (self.turns(pair, arm) for pair in PAIRS) if last})

    def first_harms(self, arm: str) -> list[int]:
        """The least sizes at which an arm is established to hurt, of all pairs, in order."""
        return sorted({first for _, first in (self.turns(pair, arm) for pair in PAIRS) if first})

    def own_head(self, pair: str, arm: str, size: int, over: str | None = None) -> MeanInterval:
        """The accuracy of the head that was pretrained, or its difference from another arm's."""
        there, every = self.scores["handout"][pair], own_heads(pair, self.budgets["handout"])
        values = every[arm] - every[over] if over else every[arm]
        return mean_interval(values[list(there.seeds), there.sizes.index(size)])

    def disagree(self, pair: str, one: str, other: str, size: int) -> float:
        """The chance that two groups of one seed each put two arms in different orders."""
        gains = self.scores["handout"][pair].gain(one, (size,), other)
        ahead, n = int((gains > 0).sum()), len(gains)
        return 2 * ahead * (n - ahead) / (n * (n - 1))
