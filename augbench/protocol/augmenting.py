"""A cell's pipeline at work: its augmentations, each with its own stream of draws.

Both engines call it, block of steps by block, so that both see the same images and labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augbench.augmentations.contract import (
    Augmentation,
    needs_of,
    returns_distribution_of,
    value_range_of,
)
from augbench.errors import ContractError
from augbench.plugins.components import Component
from augbench.plugins.guard import Guard, Place
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.arrangement import Arrangement, MadeStage, arrange
from augbench.protocol.mixing import check_images, check_weights, mixed, soft_labels, weights_of
from augbench.protocol.streams import Role, stage_words

__all__ = ["Augmenter", "Mixture", "Rows", "augmenter_of"]


@dataclass(frozen=True)
class Rows:
    """Everything but images that augmentations of N rows may need: whole steps, in order.

    `labels` are one int64 [N] for each source, `steps` (first, batch size, all of the training)
    say where the rows lie in it, `gradients` are one [N, C, H, W] for each source, or none.
    """

    labels: Sequence[Tensor]
    classes: int
    steps: tuple[int, int, int]
    gradients: Sequence[Tensor] = ()

    @cached_property
    def progress(self) -> Tensor:
        """The share of the training that is done before each row's step, [N] in [0, 1).

        A last block is drawn whole, and then cut: steps beyond the end count as the last one.
        """
        first, batch, whole = self.steps
        labels = self.labels[0]
        steps = first + torch.arange(len(labels), device=labels.device) // batch
        return (steps.clamp(max=whole - 1) / whole).to(torch.get_default_dtype())

    def by_step(self) -> Iterator[Rows]:
        """The rows of each step alone; without gradients, which are known step by step."""
        first, batch, whole = self.steps
        for step, labels in enumerate(zip(*(one.split(batch) for one in self.labels), strict=True)):
            yield Rows(labels, self.classes, (first + step, batch, whole))

    def for_call(self, member: Augmentation) -> dict[str, Any]:
        """The keyword arguments for a call of `member`, beside `rng`."""
        needs, given = needs_of(member), dict[str, Any]()
        if "labels" in needs:
            given["labels"] = tuple(self.labels[: member.sources])
        if "progress" in needs:
            given["progress"] = self.progress
        if "gradients" in needs:
            given["gradients"] = tuple(self.gradients[: member.sources])
        if returns_distribution_of(member):
            given["classes"] = self.classes
        return given


@dataclass(frozen=True)
class Mixture:
    """Images [N, C, H, W] and what they are made of.

    `shares` are [N], the share of the first of one or two sources, or weights [N, K] of more;
    `distribution`, where there is one, is the class distribution [N, classes] that stands for them.
    """

    images: Tensor
    shares: Tensor
    sources: int
    distribution: Tensor | None = None

    @property
    def weights(self) -> Tensor:
        """The weight of each source, [N, sources]."""
        return weights_of(self.shares, self.sources)

    def targets(self, rows: Rows) -> Tensor:
        """The class probabilities [N, classes]."""
        if self.distribution is not None:
            return self.distribution
        labels = torch.stack(list(rows.labels[: self.sources]), dim=1)
        return soft_labels(labels, self.weights, rows.classes)

    def check(self, who: str) -> None:
        """Raise `ContractError` for weights or probabilities out of range."""
        check_weights(self.weights, who)
        if self.distribution is not None:
            check_weights(self.distribution, who, "class probabilities")


class _Stage:
    """A stage with its streams; `address` is equal for stages that do the same.

    `place` is where the process is while it runs; its `who` names the stage in messages.
    """

    def __init__(
        self,
        made: MadeStage,
        address: object,
        choice: np.random.Generator,
        streams: Sequence[np.random.Generator],
        place: Place,
    ) -> None:
        self.made = made
        self.address = address
        self.who = place.who
        self._choice = choice
        self._streams = streams
        self._guard = Guard(place)

    def __call__(self, sources: Sequence[Tensor], rows: Rows) -> Mixture:
        """Give each row to one of the members; there are as many `sources` as any member takes."""
        # Every member sees every row, so that its draws for a row do not hang on other rows'.
        with self._guard:
            given = [
                _call(member, sources[: member.sources], rng, rows, self.who)
                for member, rng in zip(self.made.members, self._streams, strict=True)
            ]
        return given[0] if self.made.always else self._drawn(sources[0], given, rows)

    def choose_layer(self, layers: Sequence[str]) -> str:
        """See `HiddenAugmentation.choose_layer`; raises `ContractError` for another's name."""
        member: Any = self.made.members[0]
        with self._guard:
            layer = member.choose_layer(layers, rng=self._streams[0])
        if layer not in layers:
            raise ContractError(
                f"{self.who}: choose_layer: expected one of "
                f"{', '.join(map(repr, layers))}, got {layer!r}"
            )
        return str(layer)

    def _drawn(self, anchor: Tensor, given: Sequence[Mixture], rows: Rows) -> Mixture:
        """Of each row, one member's result, or the anchor as it is."""
        made, count = self.made, len(anchor)
        bounds = np.cumsum(made.probabilities)
        bounds[-1] = 1.0 if bounds[-1] > 1 - 1e-9 else bounds[-1]
        drawn = np.searchsorted(bounds, self._choice.random(count), side="right")
        chosen = torch.from_numpy(drawn).to(anchor.device)
        result = Mixture(anchor, anchor.new_ones(count), 1)
        images, weights = anchor, _padded(result, made.sources)
        targets = result.targets(rows) if made.returns_distribution else None
        for number, one in enumerate(given):
            here = chosen == number
            images = torch.where(here.view(-1, *[1] * (images.ndim - 1)), one.images, images)
            weights = torch.where(here[:, None], _padded(one, made.sources), weights)
            if targets is not None:
                targets = torch.where(here[:, None], one.targets(rows), targets)
        shares = weights[:, 0] if made.sources <= 2 else weights
        return Mixture(images, shares, made.sources, targets)


def _padded(mixture: Mixture, sources: int) -> Tensor:
    """Weights [N, sources], zero for the sources that are not used."""
    return torch.nn.functional.pad(mixture.weights, (0, sources - mixture.sources))


def _call(
    member: Augmentation, sources: Sequence[Tensor], rng: np.random.Generator, rows: Rows, who: str
) -> Mixture:
    """Call an augmentation; check the images that it returns, and that its inputs stay."""
    supplied = rows.for_call(member)
    inputs = [*sources, *_tensors(supplied.values())]
    before = [one._version for one in inputs]
    images, second = mixed(member, sources, rng, who, **supplied)
    if before != [one._version for one in inputs]:
        # Arms share their sources and labels: what one changed, the others would see.
        raise ContractError(f"{who} changes its inputs in place; work on a copy (x.clone())")
    if "hidden" not in needs_of(member):  # a layer's outputs may have any value
        check_images(images, sources, value_range_of(member), who)
    if "classes" in supplied:
        return Mixture(images, images.new_ones(len(images)), 1, second)
    return Mixture(images, second, len(sources))


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among some values, and in tuples among these."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from _tensors(value)


class Augmenter:
    """A cell's pipeline, made and with its streams; see `arrangement` for the parts of stages."""

    def __init__(self, arrangement: Arrangement, stages: Sequence[_Stage]) -> None:
        self.arrangement = arrangement
        first = len(arrangement.ahead)
        self._ahead, self._behind = stages[:first], stages[first + bool(arrangement.mixer) :]
        self._mixer = stages[first] if arrangement.mixer else None
        self.name = "; ".join(stage.who for stage in stages)

    @property
    def sources(self) -> int:
        """The number of images that one output is made of."""
        return self.arrangement.sources

    @property
    def ahead(self) -> tuple[object, ...]:
        """The addresses of the stages ahead of the mixer: equal ones do the same."""
        return tuple(stage.address for stage in self._ahead)

    def ahead_of_mixer(self, images: Tensor, rows: Rows, *, stages: slice = slice(None)) -> Tensor:
        """Images [N, C, H, W] after the stages ahead of the mixer, or after some of these."""
        for stage in self._ahead[stages]:
            images = _single(stage, images, rows)
        return images

    def choose_layer(self, layers: Sequence[str]) -> str:
        """The layer at which an augmentation that mixes hidden layers does so in a step."""
        assert self._mixer is not None
        return self._mixer.choose_layer(layers)

    def mix(self, sources: Sequence[Tensor], rows: Rows) -> Mixture:
        """Mix sources, each [N, C, H, W], and pass the mix through the stages behind.

        The values of the result's weights are for the caller to check (`Mixture.check`).
        """
        if self._mixer is None:
            return Mixture(sources[0], sources[0].new_ones(len(sources[0])), 1)
        mixture = self._mixer(sources, rows)
        for stage in self._behind:
            mixture = replace(mixture, images=_single(stage, mixture.images, rows))
        return mixture


def _single(stage: _Stage, images: Tensor, rows: Rows) -> Tensor:
    """The images after a stage that takes one source, whose label stays."""
    made = stage([images], rows)
    made.check(stage.who)
    return made.images


def augmenter_of(
    pipeline: Pipeline,
    create: Callable[[Component], Any],
    streams: Callable[..., np.random.Generator],
    place: Place | None = None,
) -> Augmenter:
    """Make a pipeline's augmentations, each with a stream of its own; raises as `arrange` does.

    `streams` takes a `Role` and further words of a stream's address. `place` is told while they
    are made and called; by default, one of this pipeline for no cell in particular.
    """
    place = place or Place(f"augmentation {pipeline.label!r}", pipeline.label)
    with Guard(place):
        arrangement = arrange(pipeline, create)
    stages = []
    for made, described, (choice, members) in zip(
        arrangement.stages, pipeline.stages, stage_words(pipeline), strict=True
    ):
        own = [streams(Role.AUGMENTATION, *words) for words in members]
        sources = tuple(member.component.source_hash for member in described.members)
        address = (choice, tuple(members), sources)
        who = place.who if len(pipeline.stages) == 1 else f"{made.label!r} of {place.who}"
        own_place = replace(place, who=who)
        stages.append(_Stage(made, address, streams(Role.CHOICE, *choice), own, own_place))
    return Augmenter(arrangement, stages)
