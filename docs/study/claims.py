"""The claims of the study: what each says of accuracies, and what the seeds say of it.

A claim is a difference that somebody expects to be above 0, measured once for each seed. It is
tested by sign flips of whole seeds, Holm-corrected over the pairs of data sets that it is asked of,
at the 5 % level: confirmed where the difference is established above 0, refuted where it is
established below, and undecided otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augbench.statistics import MeanInterval, holm, mean_interval, sign_flip

Floats = NDArray[np.float64]
ALPHA, DRAWS = 0.05, 19_999
SMALL, LARGE = (1, 2, 4, 8, 16), (32, 64)
"""The sizes that the report calls small and large."""


@dataclass(frozen=True)
class Scores:
    """Accuracies [seeds, sizes] of every arm, on one pair of data sets in one condition."""

    sizes: tuple[int, ...]
    of: Mapping[str, Floats]
    seeds: tuple[int, ...]

    def mean(self, arm: str, sizes: Sequence[int]) -> Floats:
        """An arm's mean over those of the sizes that were measured, for each seed."""
        columns = [k for k, size in enumerate(self.sizes) if size in sizes]
        return self.of[arm][:, columns].mean(axis=1)

    def gain(self, arm: str, sizes: Sequence[int], over: str = "none") -> Floats:
        """The difference of two arms' means, for each seed."""
        return self.mean(arm, sizes) - self.mean(over, sizes)


def at_best(choices: Sequence[Scores]) -> Scores:
    """Every arm and size at the one of some conditions that serves it best.

    Which one that is for a seed, the means of all other seeds say, so that luck of its own does not
    choose for it. The seeds are those that all conditions have.
    """
    first = choices[0]
    seeds = sorted(set.intersection(*(set(one.seeds) for one in choices)))
    chosen = {}
    for arm in first.of:
        every = np.stack([one.of[arm][np.isin(one.seeds, seeds)] for one in choices])
        of_others = every.sum(axis=1, keepdims=True) - every  # their sums order them as means do
        best = of_others.argmax(axis=0, keepdims=True)
        chosen[arm] = np.take_along_axis(every, best, axis=0)[0]
    return Scores(first.sizes, chosen, tuple(seeds))


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
    for arm in ("none", "collage", "mixup"):
        yield Claim(
            f"rises-{arm}",
            f"accuracy rises with s ({arm})",
            lambda scores, arm=arm: (
                scores.mean(arm, scores.sizes[-1:]) - scores.mean(arm, scores.sizes[:1])
            ),
        )
    for arm in ("collage", "mixup"):
        yield Claim(
            f"helps-{arm}",
            f"{arm} helps where labels are few",
            lambda scores, arm=arm: scores.gain(arm, SMALL),
        )
        yield Claim(
            f"shrinks-{arm}",
            f"what {arm} brings shrinks as labels grow",
            lambda scores, arm=arm: scores.gain(arm, SMALL) - scores.gain(arm, LARGE),
        )
        yield Claim(
            f"large-{arm}",
            f"{arm} helps where labels are many",
            lambda scores, arm=arm: scores.gain(arm, LARGE),
        )
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


def same_better(scores: Mapping[str, Scores], arms: Sequence[str]) -> dict[str, Finding]:
    """Whether an arm is better where it was pretrained on the data set that it is judged on.

    Paired by seed, over the sizes that both pairs have; each arm on each data set of finetuning.
    """
    differences = {}
    for target, other in (("mnist", "letters"), ("letters", "mnist")):
        if not {f"{target}-{target}", f"{other}-{target}"} <= scores.keys():
            continue
        one, two = scores[f"{target}-{target}"], scores[f"{other}-{target}"]
        sizes = sorted(set(one.sizes) & set(two.sizes))
        seeds = sorted(set(one.seeds) & set(two.seeds))
        for arm in arms:
            first, second = (
                each.mean(arm, sizes)[np.isin(each.seeds, seeds)] for each in (one, two)
            )
            differences[f"{target}, {arm}"] = first - second
    return findings(differences)
