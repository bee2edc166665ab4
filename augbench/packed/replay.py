"""A step of training recorded once, and done again from then on.

A small network's step spends as long in the interpreter, in autograd and in the allocator as in
its numbers. All of these do the same at each step. `Replayed` records a step on a `Tape`, makes
sure that the tape is right and faster, and plays it from then on:

    step   1 2      3         4 5 6 … 19              20 …
           as is    recorded  played and as is,       the faster of both
                    checked   in turn, timed          (replays 2 and 20 are checked once more)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from augbench.packed.tape import Tape, memory_of

__all__ = ["LONGEST", "ReplayError", "Replayed"]

LONGEST = 0.1
"""Seconds: a longer step has little to gain, and its tape would hold much memory."""

_RECORDED = 3  # which step: the first two compile kernels, and grow the scratch that they share
_TRIALS = 8  # steps each way after it, to learn which is faster
# Replays that are compared with the step as it is, once more: the 2nd is the first that finds what
# a replay left in its memory, the 20th comes when the trials are over and replay follows replay.
_CHECKED_AGAIN = (2, 20)


class ReplayError(RuntimeError):
    """A replay that gave other numbers than the step itself: what it computed is not to be used."""


class Replayed:
    """A step that is replayed from a tape, where that is possible and faster.

    `step` takes tensors, of the same shapes each time, and returns one; beside that, it only
    changes the tensors of `state`. The third step is recorded. The tape is used if a replay of it,
    on other inputs and into memory that was spoilt, gives the bits of the step itself (on a GPU,
    where it is a graph, sums of many threads may come in another order), and if the steps that
    follow show that it gains time (a graph always does). Some replays later the same is asked
    again of what is computed then: `ReplayError` is raised if the answer is no.
    """

    def __init__(self, step: Callable[..., Tensor], state: Sequence[Tensor]) -> None:
        self._step, self._state = step, state
        self._calls = self._replays = 0
        self._tape: Tape | None = None
        self._inputs: list[Tensor] = []
        self._output = torch.empty(0)
        self._took: tuple[list[float], list[float]] = [], []  # seconds as it is, and replayed

    @property
    def in_use(self) -> bool:
        """Whether the next step may be a replay."""
        return self._tape is not None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The step's result, which the next step may overwrite."""
        self._calls += 1
        trials = self._calls - _RECORDED
        on_gpu = inputs[0].is_cuda
        if trials == 0 and (on_gpu or self._took[0][-1] < LONGEST):
            return self._record(inputs)
        trying = trials <= 2 * _TRIALS and not on_gpu
        replaying = self._tape is not None and (not trying or trials % 2 == 1)
        start = time.perf_counter()
        output = self._replay(inputs) if replaying else self._step(*inputs)
        if trying or trials < 0:
            self._took[replaying].append(time.perf_counter() - start)
        if trying and trials == 2 * _TRIALS and self._tape is not None:
            # Of the step as it is, the first ones also prepared the others. Medians, since
            # whatever else the machine does may fall on any step.
            plain, replayed = self._took[0][_RECORDED - 1 :], self._took[1]
            if median(replayed) >= median(plain):
                self._tape = None
        return output

    def _replay(self, inputs: Sequence[Tensor]) -> Tensor:
        assert self._tape is not None
        for own, one in zip(self._inputs, inputs, strict=True):
            own.copy_(one)
        self._replays += 1
        if self._replays not in _CHECKED_AGAIN:
            self._tape.replay()
            return self._output
        before = _copies(self._state)
        self._tape.replay()
        after, output = _copies(self._state), self._output.clone()
        _restore(self._state, before)
        if not self._agrees(self._tape, before, [output, *after]):
            raise ReplayError(
                "replays of a step of training went wrong; please report this network"
            )
        return output

    def _record(self, inputs: Sequence[Tensor]) -> Tensor:
        """Do the step, noting what it does; use the notes if they are right."""
        self._inputs = [one.clone() for one in inputs]
        with Tape() as tape:
            self._output = self._step(*self._inputs)
        output, after = self._output.clone(), _copies(self._state)
        known = {memory_of(one) for one in (*self._state, *self._inputs)}
        # Memory that changes and is no state would be changed twice by the check that follows.
        if tape.complete and all(memory_of(one) in known for one in tape.written):
            try:
                if output.is_cuda:
                    with torch.no_grad():
                        _restore(self._inputs, inputs)
                    self._output = tape.capture(lambda: self._step(*self._inputs))
                if self._holds(tape):
                    self._tape = tape
            except RuntimeError:  # torch cannot capture it, or has no memory for it
                if not output.is_cuda:
                    raise
            _restore(self._state, after)
        return output

    def _holds(self, tape: Tape) -> bool:
        """Whether a replay, of other inputs, does what the step does, and writes all it reads."""
        given = [*self._inputs, *tape.arrivals]
        own, before = _copies(given), _copies(self._state)
        _restore(given, [_other(one) for one in given])
        tape.spoil()
        tape.replay(refresh=False)
        replayed = [self._output.clone(), *_copies(self._state)]
        _restore(self._state, before)
        holds = self._agrees(tape, before, replayed)
        _restore(given, own)
        return holds

    def _agrees(self, tape: Tape, before: Sequence[Tensor], replayed: Sequence[Tensor]) -> bool:
        """Whether the step itself, done now, ends as a replay did: its output, then its state."""
        with tape.supplying():
            output = self._step(*self._inputs)
        moved = zip(
            [torch.zeros_like(output), *before], replayed, [output, *self._state], strict=True
        )
        return all(_same_move(*one) for one in moved)


def _copies(state: Sequence[Tensor]) -> list[Tensor]:
    return [one.detach().clone() for one in state]


def _restore(state: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for one, value in zip(state, values, strict=True):
            one.copy_(value)


def _other(value: Tensor) -> Tensor:
    """Other numbers of the same kind: the same ones in another order, and a ramp of their size."""
    turned = value.flip(tuple(range(value.ndim)))
    if not value.is_floating_point():
        return turned
    largest = value.abs().max() if value.numel() else value.new_ones(())
    ramp = torch.linspace(0.1, 0.9, value.numel(), device=value.device, dtype=value.dtype)
    return (turned + ramp.view_as(value) * torch.where(largest > 0, largest, 1.0)) / 2


@torch.no_grad()
def _same_move(start: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether a value went from `start` to the same place twice: NaN to NaN, and on a CPU, in bits.

    On a GPU sums may come in another order: the way it went decides, not where it stood before,
    since a step changes weights by little.
    """
    if not one.is_cuda or not one.is_floating_point():
        return bool(((one == other) | (one.isnan() & other.isnan())).all())
    if not one.numel():
        return True
    known = one.isfinite() & other.isfinite()
    if not bool((known | (one == other) | (one.isnan() & other.isnan())).all()):
        return False
    way, size = ((other - start)[known].abs(), other[known].abs())
    if not way.numel():
        return True
    rounding = 8 * torch.finfo(one.dtype).eps * float(size.max())
    return float((one - other)[known].abs().max()) <= 1e-3 * float(way.max()) + rounding
