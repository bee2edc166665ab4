"""The choice of a backbone's packing: the fastest that is proved to give the same numbers."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from augbench.packed import ops
from augbench.packed.frozen import features_need_company
from augbench.packed.likeness import check_alike, moving_state
from augbench.packed.replay import LONGEST
from augbench.packed.tape import Tape
from augbench.packed.taps import Changes
from augbench.packed.trace import PackedByRules
from augbench.packed.verify import difference
from augbench.packed.vmap import PackedByVmap

__all__ = ["MOST_TIMED", "Choice", "Packed", "Packer", "choose"]


class Packed(Protocol):
    """K backbones as one: what `PackedByRules` and `PackedByVmap` have in common."""

    cells: int

    @property
    def replayable(self) -> bool:
        """True if a step, in the present mode, does the same each time; see `replay.py`."""
        ...

    @property
    def taps(self) -> Mapping[str, Changes]:
        """The taps by the layers that they stand behind: what each changes in training.

        To be filled and emptied by whoever asked for them; see `taps.py`.
        """
        ...

    def __call__(self, images: Tensor, *, shared: bool = False) -> Tensor:
        """Features [K, B, D] of each cell's images [B, K·C, H, W], or of shared [B, C, H, W]."""
        ...

    def train(self, mode: bool = True) -> object:
        """Set the mode of every layer."""
        ...

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers by the names that the backbone gives them.

        Each holds those of the K cells one after the other, or one counter for all.
        """
        ...


Packer = Callable[[Sequence[nn.Module]], Packed]


@dataclass(frozen=True)
class Choice:
    """The packing of a backbone, and the reason; without a `packer`, cells are trained one by one.

    `keeps` tells whether the frozen features of an image may be kept; `gain` how many times as
    fast as one by one a step of training was seen to be; `most` how many cells a pack should hold
    at most, if any number will not do; `seconds` what the choice itself took.
    """

    packer: Packer | None
    reason: str
    keeps: bool = True
    gain: float | None = None
    most: int | None = None
    seconds: float = 0.0


MOST_TIMED = 64
"""The most cells that packing is timed with: more gain no less."""

_PACKERS: tuple[tuple[str, Packer], ...] = (("by rules", PackedByRules), ("by vmap", PackedByVmap))
# Bytes of the second-level cache that a core has to itself on today's servers (1 to 2 MiB). A
# layer's output that fits is read by the next layer without a trip to memory.
_CACHE = 2**20
_FEWEST = 2  # cells: fewer gain less than the cache does
# Packs of a network whose step alone takes longer than so many seconds hold so many cells at most:
# all of a pack are verified together, and more of them would gain little.
_LONG_ALONE = 0.03
_MOST_OF_LONG = 8
_REPEATS = 5
_TRIALS = 3
_TIMED_ALONE = 4
_BEYOND_DOUBT = 2.0  # a gain that two pairs of steps agree on
_LONGEST_TIMING = 2.0  # seconds, but for one pair of steps
_WORTH_IT = 1.1  # where steps are long, verifying costs more than a smaller gain gives back


def choose(
    backbones: Sequence[nn.Module],
    images: Tensor,
    *,
    pixel_gradients: bool = False,
    taps: Sequence[str] = (),
) -> Choice:
    """Choose a packing for backbones of one architecture; `images` is like a batch [B, C, H, W].

    A packing is taken if it is faster than the plain modules, by a tenth at least, and computes
    what they compute (`verify.py`), with `pixel_gradients` also the gradients of images in eval
    mode. With `taps`, the packing has taps behind the layers of these names, and is one by rules:
    others have none. The backbones are left as they are. Raises `UnpackableError` where they differ
    by more than their numbers.
    """
    start = time.perf_counter()
    check_alike(backbones)
    choice = _choose(backbones, images, pixel_gradients, taps)
    return replace(choice, seconds=time.perf_counter() - start)


def _choose(
    backbones: Sequence[nn.Module], images: Tensor, pixel_gradients: bool, taps: Sequence[str]
) -> Choice:
    one = backbones[0]
    reason = _why_not_kept(one, images)
    if reason is not None:
        return Choice(None, f"one by one ({reason})", keeps=False)
    moves = moving_state(one, images, training=True)
    if moves is not None:
        return Choice(None, f"one by one (in training, its forward changes {moves!r})")
    refused: list[str] = []
    if images.device.type == "cpu" and not ops.kernels_serve(images):
        refused.append("with compiled kernels: llvmlite cannot be used")
    for name, packer in _packers(taps):
        try:
            most = _most(packer, one, images)
            together = backbones[: min(most or MOST_TIMED, MOST_TIMED)]
            gain = _gain(packer, together, images)  # which is cheap beside what follows
            if gain <= _WORTH_IT:
                refused.append(f"{name}: only {gain:.2f} times as fast")
                continue
            reason = difference(packer, together, images, pixel_gradients=pixel_gradients)
        except Exception as error:  # whatever an unknown module raises, it is a reason
            text = str(error).partition("While executing")[0]  # torch.fx's own words follow
            reason = " ".join(text.split())[:200] or type(error).__name__
        if reason is None:
            but = f" (not {'; not '.join(refused)})" if refused else ""
            return Choice(packer, f"packed {name}{but}", gain=gain, most=most)
        refused.append(f"{name}: {reason}")
    return Choice(None, f"one by one (not {'; not '.join(refused)})")


def _packers(taps: Sequence[str]) -> Sequence[tuple[str, Packer]]:
    """The packings to try, in this order, by their names."""
    return (("by rules", partial(PackedByRules, taps=taps)),) if taps else _PACKERS


def _why_not_kept(backbone: nn.Module, images: Tensor) -> str | None:
    """The reason why a frozen backbone's features of an image may not be kept, if there is one."""
    moves = moving_state(backbone, images, training=False)
    if moves is not None:
        return f"in eval mode, its forward changes {moves!r}"
    if features_need_company(backbone, images):
        return "in eval mode, an image's features depend on more than the image"
    return None


def _most(packer: Packer, backbone: nn.Module, images: Tensor) -> int | None:
    """The most cells that one pack should hold; None if any number will do.

    The largest value of a layer of theirs stays in the cache, and a long step is not made longer.
    """
    if images.device.type != "cpu":
        return None
    packed = packer([copy.deepcopy(backbone)])
    packed.train()
    most = MOST_TIMED
    if isinstance(packed, PackedByRules):
        bytes_of_one: int = packed.largest_value(images) * images.element_size()
        # A step through taps is not replayed. The more cells share the time around its numbers, the
        # better: 11 cells of `convnet` took 1.4 ms each, 5 or 6 whose maps fit 1.8.
        most = max(_FEWEST, _CACHE * (2 if packed.taps else 1) // bytes_of_one)
    if most > _MOST_OF_LONG and _seconds_alone(backbone, images) > _LONG_ALONE:
        return _MOST_OF_LONG
    return most if isinstance(packed, PackedByRules) else None


def _seconds_alone(backbone: nn.Module, images: Tensor) -> float:
    """Seconds of this process that a step of one cell takes, the faster of two."""
    alone = copy.deepcopy(backbone).train()
    values = [value for value in alone.parameters() if value.requires_grad]
    took = []
    for _ in range(2):
        start = time.process_time()
        _step(alone, images, values)
        took.append(time.process_time() - start)
    return min(took)


def _step(network: Callable[[Tensor], Tensor], images: Tensor, by: Sequence[Tensor]) -> None:
    features = network(images).sum()
    if features.requires_grad:
        torch.autograd.grad(features, by, allow_unused=True)


def _gain(packer: Packer, backbones: Sequence[nn.Module], images: Tensor) -> float:
    """The time of a step of all cells one by one, divided by its time packed.

    Both take turns, and it is the time of this process that counts, so that a busy machine slows
    both alike. A gain that seems too small is measured again, since a mistake here would cost a
    whole run, but never for longer than `_LONGEST_TIMING`. One by one, cells take as long each as
    any: of many, some are timed.
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
        start = clock()
        step()
        if images.is_cuda:
            torch.cuda.synchronize(images.device)
        return clock() - start

    clock = time.process_time if images.device.type == "cpu" else time.perf_counter
    began = time.perf_counter()
    seconds(one_by_one), seconds(together)  # warm
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
        if best > _WORTH_IT or time.perf_counter() - began > _LONGEST_TIMING:
            break
    return best
