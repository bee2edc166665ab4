"""Which packing a backbone gets: the fastest of those that are proved to give the same numbers."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from augbench.engines import planes
from augbench.engines.packing import Widened
from augbench.engines.replaying import LONGEST, Tape
from augbench.engines.vmapping import Vmapped

__all__ = ["MOST_TIMED", "Choice", "Packer", "Together", "choose"]


class Together(Protocol):
    """K backbones as one: what `Widened` and `Vmapped` have in common."""

    cells: int

    @property
    def replayable(self) -> bool:
        """Whether a step of training does the same operations each time; see `replaying.py`."""
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


Packer = Callable[[Sequence[nn.Module]], Together]


@dataclass(frozen=True)
class Choice:
    """How a backbone is packed, and why; without a `packer`, cells are trained one by one.

    `keeps` tells whether the frozen features of an image may be kept; `gain` how many times as
    fast as one by one a step of training was seen to be; `most` how many cells' values stay in the
    cache, if any number does not.
    """

    packer: Packer | None
    reason: str
    keeps: bool = True
    gain: float | None = None
    most: int | None = None


MOST_TIMED = 64
"""With so many cells packing is timed, where there are more: they gain no less."""

_PACKERS: tuple[tuple[str, Packer], ...] = (("by rules", Widened), ("by vmap", Vmapped))
_CACHE = 2**20  # bytes, which a core may have to itself
_FEWEST = 2  # cells: fewer gain less than the cache does
_LEARNING_RATE = 0.01
_REPEATS = 5
_TRIALS = 3
_WORTH_IT = 0.9  # a step alone also pays for a loss and an optimiser, which are not measured
_CLOSE = {torch.float32: 1e-4, torch.float64: 1e-8}


def choose(backbones: Sequence[nn.Module], images: Tensor) -> Choice:
    """Choose a packing for backbones of one architecture; `images` is a batch [B, C, H, W].

    A packing is taken if it computes what the plain modules compute (see `_differs`) and is not
    slower than they are. The backbones are left as they are.
    """
    if not _features_can_be_kept(backbones[0], images):
        text = "one by one (in eval mode, an image's features depend on more than the image)"
        return Choice(None, text, keeps=False)
    refused: list[str] = []
    if images.device.type == "cpu" and not planes.usable(images):
        refused.append("with compiled kernels: llvmlite cannot be used")
    for name, packer in _PACKERS:
        reason = _differs(packer, backbones[:3], images)
        if reason is not None:
            refused.append(f"{name}: {reason}")
            continue
        most = _most(packer, backbones[0], images)
        gain = _gain(packer, backbones[:most], images)
        if gain >= _WORTH_IT:
            but = f" (not {'; not '.join(refused)})" if refused else ""
            return Choice(packer, f"packed {name}{but}", gain=gain, most=most)
        refused.append(f"{name}: only {gain:.2f} times as fast")
    return Choice(None, f"one by one (not {'; not '.join(refused)})")


def _most(packer: Packer, backbone: nn.Module, images: Tensor) -> int | None:
    """How many cells there may be, so that the largest of their values stays in the cache."""
    packed = packer([copy.deepcopy(backbone)])
    if images.device.type != "cpu" or not isinstance(packed, Widened):
        return None
    packed.train()
    bytes_of_one: int = packed.largest_value(images) * images.element_size()
    return max(_FEWEST, _CACHE // bytes_of_one)


def _features_can_be_kept(backbone: nn.Module, images: Tensor) -> bool:
    """Whether a frozen backbone gives an image the same features each time, in any company."""
    one = copy.deepcopy(backbone).eval()
    with torch.no_grad():
        whole, again = one(images), one(images[: len(images) // 2])
    return torch.allclose(whole[: len(again)], again, rtol=1e-4, atol=1e-5)


def _differs(packer: Packer, backbones: Sequence[nn.Module], images: Tensor) -> str | None:
    """Why a packing does not compute what the plain modules compute, or None if it does.

    Float32 decides if it agrees closely. Where it does not, float64 tells a wrong packing from a
    network that amplifies the order of its sums.
    """
    try:
        reason = _compare(packer, backbones, images, torch.float32)
        if reason is not None and images.device.type != "mps":
            reason = _compare(packer, backbones, images, torch.float64)
    except Exception as error:  # whatever an unknown module raises, it is a reason not to pack
        return " ".join(str(error).split())[:160] or type(error).__name__
    return reason


def _compare(
    packer: Packer, backbones: Sequence[nn.Module], images: Tensor, dtype: torch.dtype
) -> str | None:
    """Compare outputs, gradients, buffers and dropout masks over two steps, then eval mode."""
    generator = torch.Generator().manual_seed(0)
    plain = [_perturbed(backbone, generator).to(dtype).train() for backbone in backbones]
    packed = packer([copy.deepcopy(one) for one in plain])
    packed.train()
    cells, (batch, channels, *size) = len(plain), images.shape
    own = images.to(dtype).repeat_interleave(cells, 0)
    own = (own + torch.rand(own.shape, generator=generator, dtype=dtype).to(own.device)) / 2
    own = own.view(batch, cells * channels, *size)
    own_of = [own[:, k * channels : (k + 1) * channels].contiguous() for k in range(cells)]
    trained = {name: v for name, v in packed.stacked().items() if v.requires_grad}
    for step in ("first", "second"):
        together = packed(own)
        alone = torch.stack([one(x) for one, x in zip(plain, own_of, strict=True)])
        if not _close(together, alone):
            return f"other features in the {step} step of training"
        direction = torch.randn(alone.shape, generator=generator, dtype=dtype).to(alone.device)
        (alone * direction).sum().backward()
        grads = torch.autograd.grad(
            (together * direction).sum(), list(trained.values()), allow_unused=True
        )
        for (name, value), grad in zip(trained.items(), grads, strict=True):
            own_grads = [one.get_parameter(name).grad for one in plain]
            wanted = [torch.zeros(()) if g is None else g.flatten() for g in own_grads]
            grad = torch.zeros(()) if grad is None else grad.reshape(cells, -1)
            if not _close(grad, torch.stack(wanted).view_as(grad)):
                return f"other gradients of {name} in the {step} step"
            with torch.no_grad():
                value.sub_(grad.view_as(value) if grad.ndim else grad, alpha=_LEARNING_RATE)
        for one in plain:
            with torch.no_grad():
                for name, parameter in one.named_parameters():
                    if parameter.grad is not None:
                        if name not in trained:
                            return f"no gradients of {name}"
                        parameter.sub_(parameter.grad, alpha=_LEARNING_RATE)
                        parameter.grad = None
    for name, value in packed.stacked().items():
        if not value.requires_grad and name in dict(plain[0].named_buffers()):
            wanted_ = torch.stack([one.get_buffer(name).flatten() for one in plain])
            value = value.reshape(cells, -1) if value.ndim else value.expand(cells, 1)
            if not _close(value.to(dtype), wanted_.to(dtype)):
                return f"another {name} after training"
    packed.train(False)
    with torch.no_grad():
        for name, given, of_cell in (("own", own, own_of), ("shared", own_of[0], None)):
            together = packed(given, shared=of_cell is None)
            alone = torch.stack(
                [
                    one.eval()(own_of[0] if of_cell is None else of_cell[k])
                    for k, one in enumerate(plain)
                ]
            )
            if not _close(together, alone):
                return f"other features in eval mode, of {name} images"
    return None


def _close(got: Tensor, wanted: Tensor) -> bool:
    """Equal up to float order, measured against the largest value: NaN is never close."""
    got, wanted = got.detach(), wanted.detach()
    if got.shape != wanted.shape:
        return False
    tolerance = _CLOSE[wanted.dtype] * float(wanted.abs().max()) + 1e-12
    return float((got - wanted).abs().max()) <= tolerance


def _gain(packer: Packer, backbones: Sequence[nn.Module], images: Tensor) -> float:
    """How many times as fast a step of all cells is packed as one by one.

    Both take turns and as long as each other, and it is the time of this process that counts, so
    that a busy machine slows both alike. A gain that seems too small is measured again: a mistake
    here would cost a whole run.
    """
    backbones = backbones[:MOST_TIMED]
    alone, packed = copy.deepcopy(backbones[0]), packer([copy.deepcopy(b) for b in backbones])
    trained = [value for value in packed.stacked().values() if value.requires_grad]
    own, values = images.repeat(1, packed.cells, 1, 1), list(alone.parameters())

    def one_by_one() -> None:
        for _ in backbones:
            torch.autograd.grad(alone(images).sum(), values, allow_unused=True)

    def together() -> None:
        torch.autograd.grad(packed(own).sum(), trained, allow_unused=True)

    def seconds(step: Callable[[], None]) -> float:
        start = clock()
        step()
        if images.is_cuda:
            torch.cuda.synchronize(images.device)
        return clock() - start

    clock = time.process_time if images.device.type == "cpu" else time.perf_counter
    seconds(one_by_one), seconds(together)  # warm
    step: Callable[[], None] = together
    if packed.replayable and not images.is_cuda and seconds(together) < LONGEST:
        with Tape() as tape:  # as the training will do it
            together()
        step = tape.replay if tape.complete else together
    best = 0.0
    for _ in range(_TRIALS):
        ratios = [seconds(one_by_one) / seconds(step) for _ in range(_REPEATS)]
        best = max(best, statistics.median(ratios))
        if best >= _WORTH_IT:
            break
    return best


def _perturbed(backbone: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with other weights, since cells of one seed start from the same ones."""
    copied = copy.deepcopy(backbone)
    with torch.no_grad():
        for value in copied.parameters():
            noise = torch.randn(value.shape, generator=generator).to(value.device)
            value.add_(noise, alpha=0.1 * float(value.abs().mean()) + 0.01)
    return copied
