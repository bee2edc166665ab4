"""The claims of the study: what each says of accuracies, and what the seeds say of it.

A claim is a difference that somebody expects to be above 0, measured once for each seed. It is
tested by sign flips of whole seeds, Holm-corrected over the pairs of data sets that it is asked of,
at the 5 % level: confirmed where the difference is established above 0, refuted where it is
established below, and undecided otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augbench.statistics import MeanInterval, holm, mean_interval, sign_flip

Floats = NDArray[np.float64]
ALPHA, DRAWS = 0.05, 19_999
ARMS = ("none", "collage", "mixup")
SMALL, LARGE = (1, 2, 4, 8, 16), (32, 64)
"""The sizes that the report calls small and large."""


@dataclass(frozen=True)
class Scores:
    """Accuracies [seeds, sizes] of every arm, on one pair of data sets in one condition."""

    sizes: tuple[int, ...]
    of: Mapping[str, Floats]
    seeds: tuple[int, ...]

    def only(self, seeds: Collection[int], sizes: Collection[int]) -> Scores:
        """Those of some seeds and sizes."""
        rows, columns = np.isin(self.seeds, list(seeds)), np.isin(self.sizes, list(sizes))
        return Scores(
            tuple(size for size in self.sizes if size in sizes),
            {arm: each[np.ix_(rows, columns)] for arm, each in self.of.items()},
            tuple(seed for seed in self.seeds if seed in seeds),
        )

    def mean(self, arm: str, sizes: Collection[int]) -> Floats:
        """An arm's mean over those of the sizes that were measured, for each seed."""
        columns = [k for k, size in enumerate(self.sizes) if size in sizes]
        found: Floats = self.of[arm][:, columns].mean(axis=1)
        return found

    def gain_in_size(self, arm: str) -> Floats:
        """The difference of an arm's largest size and its smallest, for each seed."""
        return self.mean(arm, self.sizes[-1:]) - self.mean(arm, self.sizes[:1])

    def gain(self, arm: str, sizes: Sequence[int], over: str = "none") -> Floats:
        """The difference of two arms' means, for each seed."""
        return self.mean(arm, sizes) - self.mean(over, sizes)


def best_of(choices: Sequence[Scores]) -> dict[str, NDArray[np.int_]]:
    """The place of the condition with the highest mean over seeds, for each arm [sizes]."""
    return {
        arm: np.stack([one.of[arm].mean(axis=0) for one in choices]).argmax(axis=0)
        for arm in choices[0].of
    }


def at_best(choices: Sequence[Scores]) -> Scores:
    """Every arm and size in the condition that serves it best; all have the same seeds and sizes.

    For each seed it is the one that is best on average over the other seeds, so that no seed is
    judged by a choice that it took part in. Test images are the same for all.
    """
    first, count = choices[0], len(choices[0].seeds)
    found = {}
    for arm in first.of:
        every = np.stack([one.of[arm] for one in choices])  # [choices, seeds, sizes]
        others = (every.sum(axis=1, keepdims=True) - every) / (count - 1)
        found[arm] = np.take_along_axis(every, others.argmax(axis=0)[np.newaxis], axis=0)[0]
    return Scores(first.sizes, found, first.seeds)


@dataclass(frozen=True)
class Finding:
    """The test of a claim on one pair; the difference is a share of all test images."""

    difference: MeanInterval
    p: float

    @property
    def verdict(self) -> str:
        """`confirmed`, `refuted` or `undecided`."""
        if not self.p <= ALPHA:
            return "undecided"
        return "confirmed" if self.difference.mean > 0 else "refuted"


@dataclass(frozen=True)
class Claim:
    """A claim of one arm: its name, who makes it, and the difference expected to be above 0."""

    key: str
    words: str
    difference: Callable[[Scores], Floats]


def claims() -> Iterator[Claim]:
    """The claims of the handout's questions and of the report that can be put to one pair."""
    for arm in ARMS:
        yield _rises(arm)
    for arm in ARMS[1:]:
        yield from _brings(arm)
    yield Claim(
        "collage-small",
        "collage is better than mixup where labels are few",
        lambda scores: scores.gain("collage", SMALL, "mixup"),
    )
    yield Claim(
        "mixup-large",
        "mixup is better than collage where labels are many",
        lambda scores: scores.gain("mixup", LARGE, "collage"),
    )


def _rises(arm: str) -> Claim:
    """The claim that is made of every arm, and of none."""
    return Claim(
        f"rises-{arm}",
        f"accuracy is higher at the largest s than at the smallest ({arm})",
        lambda scores: scores.gain_in_size(arm),
    )


def _brings(arm: str) -> Iterator[Claim]:
    """The claims of what an augmentation brings."""
    yield Claim(
        f"helps-{arm}",
        f"{arm} helps where labels are few",
        lambda scores: scores.gain(arm, SMALL),
    )
    yield Claim(
        f"still-{arm}",
        f"{arm} helps at s = {SMALL[-1]}",
        lambda scores: scores.gain(arm, SMALL[-1:]),
    )
    yield Claim(
        f"shrinks-{arm}",
        f"what {arm} brings shrinks as labels grow",
        lambda scores: scores.gain(arm, SMALL) - scores.gain(arm, LARGE),
    )
    yield Claim(
        f"large-{arm}",
        f"{arm} helps where labels are many",
        lambda scores: scores.gain(arm, LARGE),
    )


def findings(differences: Mapping[str, Floats]) -> dict[str, Finding]:
    """Test one claim on several pairs; `differences` [seeds] are by pair."""
    adjusted = holm([sign_flip(each, draws=DRAWS).p for each in differences.values()])
    return {
        pair: Finding(mean_interval(each), float(p))
        for (pair, each), p in zip(differences.items(), adjusted, strict=True)
    }


def tested(scores: Mapping[str, Scores]) -> dict[str, dict[str, Finding]]:
    """Every claim, by key, on every pair of one condition."""
    return {
        claim.key: findings({pair: claim.difference(one) for pair, one in scores.items()})
        for claim in claims()
    }


def changed(now: Mapping[str, Scores], then: Mapping[str, Scores]) -> dict[str, dict[str, Finding]]:
    """Test the change of each claim's difference from one condition to another of the same seeds.

    Over the sizes that both have.
    """
    both = {}
    for pair, one in now.items():
        sizes = set(one.sizes) & set(then[pair].sizes)
        both[pair] = one.only(one.seeds, sizes), then[pair].only(one.seeds, sizes)
    return {
        claim.key: findings(
            {pair: claim.difference(a) - claim.difference(b) for pair, (a, b) in both.items()}
        )
        for claim in claims()
    }


def same_better(
    scores: Mapping[str, Scores], sizes: Collection[int], arms: Sequence[str]
) -> dict[str, Finding]:
    """Test that an arm is better where it was pretrained on the data set that it is judged on.

    On average over those of the sizes that both pairs have, paired by seed, for each arm on each
    data set of finetuning: one family.
    """
    differences = {}
    for target, other in (("mnist", "letters"), ("letters", "mnist")):
        if not {f"{target}-{target}", f"{other}-{target}"} <= scores.keys():
            continue
        one, two = scores[f"{target}-{target}"], scores[f"{other}-{target}"]
        seeds = set(one.seeds) & set(two.seeds)
        there = set(one.sizes) & set(two.sizes) & set(sizes)
        for arm in arms:
            first, second = (each.only(seeds, there).mean(arm, sizes) for each in (one, two))
            differences[f"{target}, {arm}"] = first - second
    return findings(differences)
