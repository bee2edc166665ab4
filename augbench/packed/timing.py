"""How long a step of training takes, packed and one by one."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from augbench.packed.replay import LONGEST
from augbench.packed.tape import Tape

if TYPE_CHECKING:
    from augbench.packed.choice import Packer

__all__ = ["gain_over_one_by_one", "seconds_alone"]

_REPEATS = 5
_TRIALS = 3
_TIMED_ALONE = 4
_BEYOND_DOUBT = 2.0  # a gain that two pairs of steps agree on
_LONGEST_TIMING = 2.0  # seconds, but for one pair of steps


def seconds_alone(backbone: nn.Module, images: Tensor) -> float:
    """Seconds that a step of one cell takes, the faster of two; of this process on a CPU."""
    alone = copy.deepcopy(backbone).train()
    values = [value for value in alone.parameters() if value.requires_grad]
    return min(_seconds(lambda: _step(alone, images, values), images.device) for _ in range(2))


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def _step(network: Callable[[Tensor], Tensor], images: Tensor, by: Sequence[Tensor]) -> None:
    features = network(images).sum()
    if features.requires_grad:
        torch.autograd.grad(features, by, allow_unused=True)


def gain_over_one_by_one(
    packer: Packer, backbones: Sequence[nn.Module], images: Tensor, enough: float
) -> float:
    """The time of a step of all cells one by one, divided by its time packed.

    Both take turns, and it is the time of this process that counts, so that a busy machine slows
    both alike. A gain that is not above `enough` is measured again, since a mistake here would
    cost a whole run, but never for longer than `_LONGEST_TIMING`. One by one, cells take as long
    each as any: of many, some are timed.
    """
    alone, packed = copy.deepcopy(backbones[0]), packer([copy.deepcopy(b) for b in backbones])
    trained = [value for value in packed.stacked().values() if value.requires_grad]
    values = [value for value in alone.parameters() if value.requires_grad]
    own, timed = images.repeat(1, packed.cells, 1, 1), min(len(backbones), _TIMED_ALONE)

    def one_by_one() -> None:
        for _ in range(timed):
            _step(alone, images, values)

    def together() -> None:
        _step(packed, own, trained)

    def seconds(step: Callable[[], None]) -> float:
        return _seconds(step, images.device)

    began = time.perf_counter()
    _step(alone, images, values)  # warm
    together()
    step: Callable[[], None] = together
    if packed.replayable and not images.is_cuda and seconds(together) < LONGEST:
        with Tape() as tape:  # as the training will do it
            together()
        # Right or not: the packing is verified next, and a replay by `Replayed` as it is recorded.
        step = tape.replay if tape.complete else together
    best, many = 0.0, len(backbones) / timed
    for _ in range(_TRIALS):
        ratios = [many * seconds(one_by_one) / seconds(step)]
        while len(ratios) < _REPEATS and time.perf_counter() - began < _LONGEST_TIMING:
            ratios.append(many * seconds(one_by_one) / seconds(step))
            if len(ratios) == 2 and min(ratios) > _BEYOND_DOUBT:
                break
        best = max(best, statistics.median(ratios))
        if best > enough or time.perf_counter() - began > _LONGEST_TIMING:
            break
    return best
