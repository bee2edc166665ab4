"""The proof that a packing computes what the plain modules compute.

Three parties take the same steps of training from the same state (`parties.py`): the plain modules
in float64, which are the truth; the plain modules as they are; and the packing. Rounding takes the
last two from the truth, the one about as far as the other (`nearness.py`). After each step all are
given the packing's state, so that no difference grows, and none hides behind one that has. Steps go
on past the one from which on they are replayed, each on other images. Further questions follow
(`questions.py`). Where float32 cannot tell a small error from rounding, all is done in float64.

**What is left out where a step takes longer than `LONGEST` seconds**, what that may miss, and why
a packing that passes may be used all the same:

- *Two steps are compared instead of six, and none is replayed.* The training replays no step that
  long, and a replay is compared with its step before it is used (`replay.py`). A rule that goes
  wrong by itself after two steps would be missed; a forward that changes its own state is looked
  for in the module (`likeness.moving_state`), and what the rules keep between steps is running
  statistics, which are compared after both.
- *The gradients of the first and the last cell are compared in the one step, those of the middle
  one in the other*; features and buffers of all three in both. A gradient that is wrong in one cell
  and in one step would be missed. A rule does not know the number of its cell or step.
- *Eval mode is compared on eight images.* The batch that is used later is another one in any case.
- *Float64 is given eight images a batch*, as many cells as ever. It is there for errors that
  float32 takes for rounding: of a ten-thousandth, or of a few hundredths where rectifiers may open
  and shut. One that shows only beside more images, and is as small as that, would be missed.
  Anything larger is found in float32, with as many images as the training has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from augbench.packed import questions
from augbench.packed.nearness import Nearness, largest
from augbench.packed.parties import Parties
from augbench.packed.replay import LONGEST, Replayed

if TYPE_CHECKING:
    from augbench.packed.choice import Packer

__all__ = ["difference"]

_STEPS = 6  # replays begin with the fourth
_FEWEST_STEPS = 2  # of a network whose steps are too long to be replayed, or to wait for
_FEWER_IMAGES = 8  # of such a network


def difference(
    packer: Packer,
    backbones: Sequence[nn.Module],
    like: Tensor,
    *,
    pixel_gradients: bool = False,
    seconds: float = math.inf,
) -> str | None:
    """The first value that a packing of these backbones computes otherwise than they do, or None.

    Three of them are compared, the first, the middle and the last. With `pixel_gradients`, the
    gradients of images in eval mode are compared too. Where float32 cannot tell a small error from
    rounding, float64 has to agree as well. What cannot be found out in so many `seconds` (of this
    process on a CPU) counts as a difference. Raises what the backbones, or their packing, raise.
    """
    clock = _Clock(seconds, like.device)
    try:
        own = _Comparison(packer, backbones, like, like.dtype, clock)
        reason = own.run(pixel_gradients)
        if reason is None and not own.nearness.sharp and own.parties.truth:
            if own.long:
                like = like[:_FEWER_IMAGES]
            precise = _Comparison(packer, backbones, like, torch.float64, clock)
            reason = precise.run(pixel_gradients)
    except _TooLongError:
        return f"verifying it takes more than {seconds:.0f} s"
    return reason


class _TooLongError(Exception):
    """The time for verifying has been spent."""


class _Clock:
    """Seconds that a verification may take: those of this process on a CPU."""

    def __init__(self, seconds: float, device: torch.device) -> None:
        self._now = time.process_time if device.type == "cpu" else time.perf_counter
        self._end = self._now() + seconds

    def check(self) -> None:
        """Raise `_TooLongError` if they have been spent."""
        if self._now() > self._end:
            raise _TooLongError


class _Comparison:
    """A training of a packing beside its plain modules, in one type of number."""

    def __init__(
        self,
        packer: Packer,
        backbones: Sequence[nn.Module],
        like: Tensor,
        dtype: torch.dtype,
        clock: _Clock,
    ) -> None:
        clock.check()
        self.parties = Parties(packer, backbones, like, dtype)
        self.nearness = Nearness(dtype, truth_known=bool(self.parties.truth))
        self._clock, self._took = clock, math.inf  # seconds of the shortest step

    @property
    def long(self) -> bool:
        """True if a step takes too long to be replayed, or to wait for."""
        return math.inf > self._took > LONGEST

    def run(self, pixel_gradients: bool) -> str | None:
        """Train for some steps, then ask the other questions; returns what differs first."""
        parties = self.parties
        step: Callable[[Tensor, Tensor], Tensor] = parties.step_together
        if parties.packed.replayable:
            step = Replayed(step, [*parties.packed.stacked().values(), *parties.slopes.values()])
        for number in range(1, _STEPS + 1):
            reason = self._compare_step(step, number, f"step {number} of training")
            if reason is not None:
                return reason
            if number >= _FEWEST_STEPS and self.long:
                break
        asked: list[Callable[[], str | None]] = []
        if parties.packed.taps:
            asked.append(
                lambda: questions.tapped(
                    parties,
                    lambda: self._compare_step(
                        parties.step_together, 1, "a step whose layers are changed"
                    ),
                )
            )
        most = _FEWER_IMAGES if self.long else None
        asked.append(lambda: questions.features_in_use(parties, self.nearness, most))
        if pixel_gradients:
            asked.append(lambda: questions.pixel_gradients(parties, self.nearness))
        asked.append(lambda: questions.features_far_from_one(parties, self.nearness))
        for question in asked:
            self._clock.check()
            reason = question()
            if reason is not None:
                return reason
        return None

    def _compare_step(
        self, step: Callable[[Tensor, Tensor], Tensor], number: int, when: str
    ) -> str | None:
        """Take a step with all parties; returns what differs first after it."""
        parties = self.parties
        own = parties.images()
        direction = parties.direction(own[0])
        self._clock.check()
        start = time.perf_counter()
        got = step(torch.cat(own, dim=1), direction).clone()
        # The first ones prepare the others.
        self._took = min(self._took, time.perf_counter() - start)
        reason = self._compare_with_plain(own, direction, got, number, when)
        parties.take_state_of_packing()
        return reason

    def _compare_with_plain(
        self, own: Sequence[Tensor], direction: Tensor, got: Tensor, number: int, when: str
    ) -> str | None:
        parties, near = self.parties, self.nearness.near
        among = self._whose_gradients(number)
        plain, plain_slopes = parties.step_alone(parties.plain, own, direction, among)
        truth, slopes = plain, plain_slopes
        self._clock.check()
        if parties.truth:
            truth, slopes = parties.step_alone(parties.truth, own, direction, among)
        if not near(got[parties.compared], plain, truth):
            return f"other features in {when}"
        self._clock.check()
        cells = [parties.compared[place] for place in among]
        steepest = got.new_zeros(len(cells), dtype=torch.float64)
        for slope in slopes.values():
            steepest = torch.maximum(steepest, largest(slope).double())
        for name, wanted in slopes.items():
            if name not in parties.trained:
                if bool(wanted.any()):
                    return f"no gradients of {name}"
                continue
            slope = parties.of_cells(parties.slopes[name], cells)
            if not near(slope, plain_slopes[name], wanted, beside=steepest):
                return f"other gradients of {name} in {when}"
        return self._compare_buffers(when)

    def _whose_gradients(self, number: int) -> Sequence[int]:
        """The places, among the cells that are compared, of those whose gradients are."""
        places = range(len(self.parties.compared))
        return (self.long and places[(number - 1) % 2 :: 2]) or places

    def _compare_buffers(self, when: str) -> str | None:
        parties = self.parties
        stacked = parties.packed.stacked()
        for name, buffer in parties.plain[0].named_buffers():
            if name not in stacked:  # it holds still, as `moving_state` has found
                continue
            value = parties.of_cells(stacked[name], parties.compared)
            plain, truth = (
                torch.stack([one.get_buffer(name).flatten() for one in nets])
                for nets in (parties.plain, parties.truth or parties.plain)
            )
            if not buffer.is_floating_point():
                value, plain, truth = value.double(), plain.double(), truth.double()
            if not self.nearness.near(value, plain, truth):
                return f"another {name} after {when}"
        return None
