"""The parts that the stages of a pipeline play, and pipelines that cannot be; no torch.

Single-image stages come first, then at most one mixer, then single-image stages on the mix:

    images ─ ahead ─┬─ mixer ─ behind ─→ network
    partners, picked from what ahead gives, ─┘

Partners are picked from the result of the stages ahead of the mixer, as in the published recipes.
A stage that needs the network in training, or returns a class distribution, takes the mixer's
place, however many its sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from augbench.augmentations.contract import (
    FROM_NETWORK,
    Augmentation,
    needs_of,
    returns_distribution_of,
)
from augbench.errors import StudyError
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline

__all__ = ["Arrangement", "MadeStage", "arrange"]


@dataclass(frozen=True)
class MadeStage:
    """A stage with its augmentations made; `number` is its place in the pipeline."""

    number: int
    label: str
    members: tuple[Augmentation, ...]
    probabilities: tuple[float, ...]

    @cached_property
    def sources(self) -> int:
        """The most images that one of its members takes."""
        return max(member.sources for member in self.members)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The needs of its members together."""
        return frozenset[str]().union(*map(needs_of, self.members))

    @cached_property
    def returns_distribution(self) -> bool:
        """True if one of its members returns a class distribution instead of weights."""
        return any(map(returns_distribution_of, self.members))

    @property
    def takes_mixer_place(self) -> bool:
        """True if the label of an output is more than that of one image."""
        return self.sources > 1 or self.returns_distribution or bool(self.needs & FROM_NETWORK)

    @property
    def always(self) -> bool:
        """True if every image is given to its one member, without a draw."""
        return self.probabilities == (1.0,)


@dataclass(frozen=True)
class Arrangement:
    """The stages of one pipeline in the parts that they play."""

    ahead: tuple[MadeStage, ...]
    mixer: MadeStage | None
    behind: tuple[MadeStage, ...]

    @property
    def sources(self) -> int:
        """The number of images that one output is made of."""
        return self.mixer.sources if self.mixer else 1

    @property
    def from_network(self) -> frozenset[str]:
        """The needs that only the network in training can supply, step by step."""
        return self.mixer.needs & FROM_NETWORK if self.mixer else frozenset()

    @property
    def stages(self) -> tuple[MadeStage, ...]:
        """All stages in sequence."""
        return (*self.ahead, *((self.mixer,) if self.mixer else ()), *self.behind)

    @property
    def needs(self) -> frozenset[str]:
        """The needs of all stages together."""
        return frozenset[str]().union(*(stage.needs for stage in self.stages))


def arrange(pipeline: Pipeline, create: Callable[[Component], Any]) -> Arrangement:
    """Make a pipeline's augmentations and find their parts.

    Raises `StudyError` for stages that cannot be in sequence, and `ContractError` for needs that
    nothing can supply.
    """
    stages = [
        MadeStage(
            number,
            stage.label,
            tuple(create(member.component) for member in stage.members),
            tuple(member.probability for member in stage.members),
        )
        for number, stage in enumerate(pipeline.stages)
    ]
    mixers = [stage for stage in stages if stage.takes_mixer_place]
    if len(mixers) > 1:
        raise StudyError(
            f"{pipeline.label!r}: {mixers[0].label!r} and {mixers[1].label!r} each decide on the "
            "label of an image (they mix, need the network, or return class distributions); a "
            f"pipeline has one such stage at most (write '{mixers[0].label}|{mixers[1].label}' "
            "for one of both, drawn for each image)"
        )
    if not mixers:
        return Arrangement(tuple(stages), None, ())
    (mixer,) = mixers
    behind = stages[mixer.number + 1 :]
    for stage in behind:
        if "labels" in stage.needs:
            raise StudyError(
                f"{pipeline.label!r}: {stage.label!r} needs labels, and behind {mixer.label!r} an "
                "image has more than one; put it in front"
            )
    _check_hidden(pipeline, mixer, behind)
    return Arrangement(tuple(stages[: mixer.number]), mixer, tuple(behind))


def _check_hidden(pipeline: Pipeline, mixer: MadeStage, behind: Sequence[MadeStage]) -> None:
    if "hidden" not in mixer.needs:
        return
    if behind:
        raise StudyError(
            f"{pipeline.label!r}: {behind[0].label!r} stands behind {mixer.label!r}, which mixes a "
            "hidden layer: no image is left to work on; put it in front"
        )
    if len(mixer.members) > 1:
        raise StudyError(
            f"{pipeline.label!r}: an augmentation that mixes a hidden layer cannot be drawn among "
            "others; make it a stage of its own, with a probability if need be (NAME@0.5)"
        )
