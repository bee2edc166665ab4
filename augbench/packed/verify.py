"""The proof that a packing computes what the plain modules compute.

Three parties take the same steps of training from the same state: the plain modules in float64,
which are the truth; the plain modules as they are; and the packing. Rounding takes the last two
from the truth, the one about as far as the other. After each step all are given the packing's
state, so that no difference grows, and none hides behind one that has. Steps go on past the one
from which on they are replayed, each on other images.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from augbench.packed.frozen import ROUNDING_OF_FEATURES, example_images, perturbed
from augbench.packed.replay import LONGEST, Replayed

if TYPE_CHECKING:
    from augbench.packed.choice import Packed, Packer

__all__ = ["difference"]

_STEP = 0.02  # of the weights
_TINY = 1e-30
_STEPS = 6  # replays begin with the fourth
_FEWEST_STEPS = 2  # of a network whose steps are too long to be replayed, or to wait for
_AS_FAR = 32
"""The most times as far from the truth as the plain modules that a packing may be."""

_ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-9}
"""Rounding that is allowed, of the largest value, where the plain modules happen to have none."""

_CANCELLING = {torch.float32: 1e-3, torch.float64: 1e-10}
"""Rounding that may be left, of the largest gradient, in one that is zero: of a bias before a
normalisation, say, whose terms cancel."""

_AT_MOST = {torch.float32: 3e-2, torch.float64: 1e-7}
"""The largest difference that is allowed, of the largest value, however far plain modules are.

Where these are farther from the truth than that, they draw numbers of their own.
"""

_FLIPPED = 5e-2
"""The norm that a few numbers far off may have, in float32, as a share of the truth's norm."""

_FAR = 1e30


def difference(
    packer: Packer, backbones: Sequence[nn.Module], like: Tensor, *, pixel_gradients: bool = False
) -> str | None:
    """The first value that a packing of these backbones computes otherwise than they do, or None.

    Three of them are compared, the first, the middle and the last. With `pixel_gradients`, the
    gradients of images in eval mode are compared too. Where float32 cannot tell a small error from
    rounding, float64 has to agree as well. Raises what the backbones, or their packing, raise.
    """
    own = _Comparison(packer, backbones, like, like.dtype)
    reason = own.run(pixel_gradients)
    if reason is None and not own.sharp and own.has_truth:
        reason = _Comparison(packer, backbones, like, torch.float64).run(pixel_gradients)
    return reason


class _Comparison:
    """A training of a packing beside its plain modules, in one type of number."""

    def __init__(
        self, packer: Packer, backbones: Sequence[nn.Module], like: Tensor, dtype: torch.dtype
    ) -> None:
        self.generator, self.like, self.dtype = torch.Generator().manual_seed(0), like, dtype
        nets = [perturbed(one, self.generator).to(dtype).train() for one in backbones]
        self.cells = len(nets)
        self.compared = sorted({0, self.cells // 2, self.cells - 1})
        self.plain = [copy.deepcopy(nets[k]) for k in self.compared]
        self.truth = []  # in float64, the plain modules are it
        if dtype is not torch.float64 and self._knows_truth():
            self.truth = [copy.deepcopy(one).to(torch.float64) for one in self.plain]
        self.packed: Packed = packer(nets)
        self.packed.train()
        self.trained = {n: v for n, v in self.packed.stacked().items() if v.requires_grad}
        self.slopes = {name: torch.zeros_like(value) for name, value in self.trained.items()}
        self.sharp = True
        self.shape: torch.Size | None = None  # [B, D]

    @property
    def has_truth(self) -> bool:
        """True if the plain modules can be computed in float64."""
        return bool(self.truth)

    def _knows_truth(self) -> bool:
        if self.like.device.type == "mps":
            return False
        one = copy.deepcopy(self.plain[0]).double()
        try:
            one(self._images(torch.float64)[0])
        except RuntimeError:  # it makes values of a type of its own
            return False
        return True

    def run(self, pixel_gradients: bool) -> str | None:
        """Train for some steps, then compare in eval mode; returns what differs first."""
        stacked = self.packed.stacked()
        step: Callable[[Tensor, Tensor], Tensor] = self._step_together
        if self.packed.replayable:
            step = Replayed(step, [*stacked.values(), *self.slopes.values()])
        took = math.inf
        for number in range(1, _STEPS + 1):
            own = self._images(self.dtype)
            start = time.perf_counter()
            direction = self._direction(own[0])
            got = step(torch.cat(own, dim=1), direction)
            took = min(took, time.perf_counter() - start)  # the first ones prepare the others
            reason = self._compare_step(own, direction, got.clone(), f"step {number} of training")
            if reason is not None:
                return reason
            self._take_state_of_packing()
            if number >= _FEWEST_STEPS and took > LONGEST:
                break
        reason = self._compare_taps() if self.packed.taps else None
        reason = reason or self._compare_in_use()
        if reason is None and pixel_gradients:
            reason = self._compare_pixel_gradients()
        return reason or self._compare_far_from_one()

    def _step_together(self, images: Tensor, direction: Tensor) -> Tensor:
        features = self.packed(images)
        values = list(self.trained.values())
        grads = _gradients(features, direction, values)
        with torch.no_grad():
            for value, slope, grad in zip(values, self.slopes.values(), grads, strict=True):
                if grad is not None:
                    slope.copy_(grad)
                    # By a share of the weights: a deep network's gradients may be thousands.
                    size = value.abs().mean() / grad.abs().max().clamp(min=_TINY)
                    value.sub_(grad * (_STEP * size))
        return features.detach()

    def _compare_taps(self) -> str | None:
        """Compare one more step, in which every tap changes the value of every cell.

        The plain modules change theirs in a hook behind the same layers.
        """
        handles = []
        for number, (name, changes) in enumerate(self.packed.taps.items()):
            change = partial(_changed, number)
            changes.update(dict.fromkeys(range(self.cells), change))
            for one in (*self.plain, *self.truth):
                hook = partial(_changed_output, change)
                handles.append(one.get_submodule(name).register_forward_hook(hook))
        own = self._images(self.dtype)
        direction = self._direction(own[0])
        got = self._step_together(torch.cat(own, dim=1), direction)
        reason = self._compare_step(own, direction, got, "a step whose layers are changed")
        for handle in handles:
            handle.remove()
        for changes in self.packed.taps.values():
            changes.clear()
        self._take_state_of_packing()
        return reason

    def _images(self, dtype: torch.dtype) -> list[Tensor]:
        """A batch for each cell, some dark and some bright, other ones each time."""
        count = len(self.like)
        return [
            example_images(self.like, count, self.generator).to(dtype) for _ in range(self.cells)
        ]

    def _direction(self, images: Tensor) -> Tensor:
        """The gradient of the features, of a size that keeps weights near where they are."""
        if self.shape is None:
            with torch.no_grad():
                self.shape = copy.deepcopy(self.plain[0])(images).shape
            if len(self.shape) != 2:
                raise ValueError("its output is not [N, D]")
        direction = torch.randn(self.cells, *self.shape, generator=self.generator)
        size: float = self.shape.numel() ** 0.5
        return direction.to(images.device, images.dtype) / size

    def _compare_step(
        self, own: Sequence[Tensor], direction: Tensor, got: Tensor, when: str
    ) -> str | None:
        plain, plain_slopes = self._step_alone(self.plain, own, direction)
        truth, slopes = plain, plain_slopes
        if self.truth:
            truth, slopes = self._step_alone(self.truth, own, direction)
        if not self._close(got[self.compared], plain, truth):
            return f"other features in {when}"
        largest = got.new_zeros(len(self.compared), dtype=torch.float64)  # gradient of each cell
        for slope in slopes.values():
            largest = torch.maximum(largest, _largest(slope).double())
        for name, wanted in slopes.items():
            if name not in self.trained:
                if bool(wanted.any()):
                    return f"no gradients of {name}"
                continue
            slope = self._of_compared(self.slopes[name])
            if not self._close(slope, plain_slopes[name], wanted, beside=largest):
                return f"other gradients of {name} in {when}"
        stacked = self.packed.stacked()
        for name, buffer in self.plain[0].named_buffers():
            if name not in stacked:  # it holds still, as `moving_state` has found
                continue
            value = self._of_compared(stacked[name])
            plain, truth = (
                torch.stack([one.get_buffer(name).flatten() for one in nets])
                for nets in (self.plain, self.truth or self.plain)
            )
            if not buffer.is_floating_point():
                value, plain, truth = value.double(), plain.double(), truth.double()
            if not self._close(value, plain, truth):
                return f"another {name} after {when}"
        return None

    def _step_alone(
        self, nets: Sequence[nn.Module], own: Sequence[Tensor], direction: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Features [K, B, D] and gradients [K, numbers] of plain modules; no weight changes."""
        dtype = torch.float64 if nets is self.truth else self.dtype
        features, slopes = [], []
        for k, one in zip(self.compared, nets, strict=True):
            images, way = own[k], direction[k]
            made = one(images.to(dtype))
            named = dict(one.named_parameters())
            wanted = {name: value for name, value in named.items() if value.requires_grad}
            grads = _gradients(made, way.to(dtype), list(wanted.values()))
            slopes.append(
                {
                    name: torch.zeros_like(value).flatten() if grad is None else grad.flatten()
                    for (name, value), grad in zip(wanted.items(), grads, strict=True)
                }
            )
            features.append(made.detach())
        return torch.stack(features), {
            name: torch.stack([one[name] for one in slopes]) for name in slopes[0]
        }

    @torch.no_grad()
    def _take_state_of_packing(self) -> None:
        stacked = self.packed.stacked()
        for nets in (self.plain, self.truth):
            for k, one in enumerate(nets):
                for name, own in (*one.named_parameters(), *one.named_buffers()):
                    if name in stacked:
                        own.copy_(self._of_compared(stacked[name])[k].view_as(own))

    def _of_compared(self, stacked: Tensor) -> Tensor:
        """The numbers [compared, …] of a value of all cells, or of a counter that they share."""
        if not stacked.ndim:
            return stacked.expand(len(self.compared), 1)
        return stacked.reshape(self.cells, -1)[self.compared]

    @torch.no_grad()
    def _compare_in_use(self) -> str | None:
        self.packed.train(False)
        for one in (*self.plain, *self.truth):
            one.eval()
        own = self._images(self.dtype)
        for name, given in (("own", own), ("shared", own[:1] * self.cells)):
            if name == "own":
                got = self.packed(torch.cat(given, dim=1))
            else:
                got = self.packed(given[0], shared=True)
            images = [given[k] for k in self.compared]
            plain = _features(self.plain, images)
            truth = _features(self.truth, [x.double() for x in images]) if self.truth else plain
            if not self._close(got[self.compared], plain, truth):
                return f"other features in eval mode, of {name} images"
        return None

    def _compare_pixel_gradients(self) -> str | None:
        """Compare the gradients of each cell's images; all networks are in eval mode."""
        own = self._images(self.dtype)
        direction = self._direction(own[0])
        x = torch.cat(own, dim=1).requires_grad_()
        (wide,) = _gradients(self.packed(x), direction, [x])
        if wide is None:
            return "no gradients of images in eval mode"
        got = wide.unflatten(1, (self.cells, -1)).transpose(0, 1)[self.compared]

        def alone(nets: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
            slopes: list[Tensor | None] = []
            for k, one in zip(self.compared, nets, strict=True):
                x = own[k].detach().to(dtype).requires_grad_()
                slopes += _gradients(one(x), direction[k].to(dtype), [x])
            return torch.stack([one for one in slopes if one is not None])

        plain = alone(self.plain, self.dtype)
        truth = alone(self.truth, torch.float64) if self.truth else plain
        if not self._close(got, plain, truth):
            return "other gradients of images in eval mode"
        return None

    def _compare_far_from_one(self) -> str | None:
        """Compare features in training of images so bright that their squares leave float32.

        Torch's own normalisations take variances in double precision; others may not. Where the
        plain modules lose the truth themselves, nothing is asked.
        """
        if self.dtype is torch.float64 or not self.truth:
            return None
        self.packed.train()
        for one in (*self.plain, *self.truth):
            one.train()
        own = [_FAR * images for images in self._images(self.dtype)]
        # With gradients, as in training: torch may take other operators without.
        got = self.packed(torch.cat(own, dim=1)).detach()[self.compared]
        images = [own[k] for k in self.compared]
        plain = _features(self.plain, images)
        truth = _features(self.truth, [x.double() for x in images])
        lost = _largest(plain.double() - truth) / _largest(truth)
        known = lost < _AT_MOST[self.dtype]  # which NaN is not
        if bool(known.any()) and not self._close(got[known], plain[known], truth[known]):
            return "other features of images that are brighter by far"
        return None

    def _close(
        self, got: Tensor, plain: Tensor, truth: Tensor, *, beside: Tensor | None = None
    ) -> bool:
        """True if values [K, …] are as near the truth as rounding allows, each cell's by itself.

        `beside` [K] are the largest of the values that these come with: a gradient that is zero
        but for rounding is measured against them. A number that is not finite is never near.
        """
        if got.shape != truth.shape:
            return False
        largest, (apart, plain_apart) = (
            _largest(truth),
            (_largest(one.to(truth.dtype) - truth) for one in (got, plain)),
        )
        rounding = _ROUNDING[self.dtype]
        as_far = torch.minimum(_AS_FAR * plain_apart, _AT_MOST[self.dtype] * largest)
        allowed = torch.maximum(as_far, rounding * largest)
        if beside is not None:
            allowed = torch.maximum(allowed, _CANCELLING[self.dtype] * beside.to(allowed.dtype))
        if self.dtype is not torch.float64:
            self.sharp &= bool((apart <= ROUNDING_OF_FEATURES[torch.float32] * largest).all())
        near = apart <= allowed + torch.finfo(self.dtype).tiny
        if self.truth and not bool(near.all()):
            # A rectifier whose input is nearly zero may open in one order of sums and stay shut in
            # another: a few numbers are then far off, most are not. Float64 will decide.
            near |= _norm(got.to(truth.dtype) - truth) <= _FLIPPED * _norm(truth)
            near |= _norm(got - plain) <= _FLIPPED * _norm(plain)  # the plain ones flipped alike
        return bool((near & apart.isfinite() & largest.isfinite()).all())


def _changed(number: int, value: Tensor) -> Tensor:
    """Rows mixed with other rows: differently behind each layer, at each place, in each shape."""
    share = 0.9 - 0.3 * number / (number + 1) - 0.02 * value.ndim
    mixed = share * value + (1 - share) * value.flip(0)
    places = torch.linspace(0.8, 1.2, value[0].numel(), dtype=value.dtype, device=value.device)
    return mixed * places.view(value.shape[1:])


def _changed_output(
    change: Callable[[Tensor], Tensor], module: nn.Module, inputs: object, output: Tensor
) -> Tensor:
    return change(output)


def _features(nets: Sequence[nn.Module], images: Sequence[Tensor]) -> Tensor:
    """The features [K, B, D] of plain modules, each of its own images."""
    return torch.stack([one(x).detach() for one, x in zip(nets, images, strict=True)])


def _gradients(
    features: Tensor, direction: Tensor, values: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """None for a value on which the features do not depend."""
    if not (values and features.requires_grad):
        return [None] * len(values)
    return torch.autograd.grad((features * direction).sum(), values, allow_unused=True)


def _norm(values: Tensor) -> Tensor:
    """The Euclidean norm of each cell's values [K]."""
    return values.detach().flatten(1).double().square().sum(1).sqrt()  # 1e30 has a square


def _largest(values: Tensor) -> Tensor:
    """The largest value of each cell [K], NaN if there is one."""
    flat = values.detach().abs().flatten(1)
    return flat.amax(1) if flat.shape[1] else flat.new_zeros(len(flat))
