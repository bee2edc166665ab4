"""The choice of a backbone's packing: the fastest that is proved to give the same numbers."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from torch import Tensor, nn

from augbench.packed import ops
from augbench.packed.frozen import features_need_company
from augbench.packed.likeness import check_alike, moving_state
from augbench.packed.taps import Changes
from augbench.packed.timing import gain_over_one_by_one as _gain
from augbench.packed.timing import seconds_alone
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
_WORTH_IT = 1.1  # where steps are long, verifying costs more than a smaller gain gives back
# Verifying may take so many seconds, or that share of the training that is to follow if it is more.
_SECONDS_OF_VERIFYING = 10.0
_SHARE_OF_VERIFYING = 0.05
# Steps of one cell that verifying takes at least: the plain modules', and as many in float64.
_FEWEST_ALONE = 6


def choose(
    backbones: Sequence[nn.Module],
    images: Tensor,
    *,
    pixel_gradients: bool = False,
    taps: Sequence[str] = (),
    steps: int = 0,
) -> Choice:
    """Choose a packing for backbones of one architecture; `images` is like a batch [B, C, H, W].

    A packing is taken if it is faster than the plain modules, by a tenth at least, and computes
    what they compute (`verify.py`), with `pixel_gradients` also the gradients of images in eval
    mode. With `taps`, the packing has taps behind the layers of these names, and is one by rules:
    others have none. The backbones are left as they are. Raises `UnpackableError` where they differ
    by more than their numbers.

    Verifying a packing may take ten seconds, of this process on a CPU, or a twentieth of the time
    that `steps` of training take with it, if that is more. One that is not verified by then is not
    taken.
    """
    start = time.perf_counter()
    check_alike(backbones)
    choice = _choose(backbones, images, pixel_gradients, taps, steps)
    return replace(choice, seconds=time.perf_counter() - start)


def _choose(
    backbones: Sequence[nn.Module],
    images: Tensor,
    pixel_gradients: bool,
    taps: Sequence[str],
    steps: int,
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
            tried = _try(packer, backbones, images, pixel_gradients, steps)
        except Exception as error:  # whatever an unknown module raises, it is a reason
            text = str(error).partition("While executing")[0]  # torch.fx's own words follow
            tried = " ".join(text.split())[:200] or type(error).__name__
        if isinstance(tried, Choice):
            but = f" (not {'; not '.join(refused)})" if refused else ""
            return replace(tried, reason=f"packed {name}{but}")
        refused.append(f"{name}: {tried}")
    return Choice(None, f"one by one (not {'; not '.join(refused)})")


def _try(
    packer: Packer,
    backbones: Sequence[nn.Module],
    images: Tensor,
    pixel_gradients: bool,
    steps: int,
) -> Choice | str:
    """The choice of this packing, without a reason; or the reason why it is not to be used."""
    alone = seconds_alone(backbones[0], images)
    most = _most(packer, backbones[0], images, alone)
    together = backbones[: min(most or MOST_TIMED, MOST_TIMED)]
    gain = _gain(packer, together, images, _WORTH_IT)  # which is cheap beside what follows
    if gain <= _WORTH_IT:
        return f"only {gain:.2f} times as fast"
    step = len(together) * alone / gain
    allowed = max(_SECONDS_OF_VERIFYING, _SHARE_OF_VERIFYING * steps * step)
    if (least := 2 * step + _FEWEST_ALONE * alone) > allowed:
        return f"verifying it takes {least:.0f} s at least, more than {allowed:.0f} s"
    reason = difference(packer, together, images, pixel_gradients=pixel_gradients, seconds=allowed)
    return reason or Choice(packer, "", gain=gain, most=most)


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


def _most(packer: Packer, backbone: nn.Module, images: Tensor, alone: float) -> int | None:
    """The most cells that one pack should hold; None if any number will do.

    The largest value of a layer of theirs stays in the cache, and a long step is not made longer. A
    step of one cell takes `alone` seconds.
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
    if most > _MOST_OF_LONG and alone > _LONG_ALONE:
        return _MOST_OF_LONG
    return most if isinstance(packed, PackedByRules) else None
