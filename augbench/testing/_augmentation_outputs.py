"""Checks of an augmentation's output: type, shape, device, values, weights, shares."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from augbench.augmentations.contract import (
    needs_of,
    operations_of,
    returns_distribution_of,
    shares_of,
    value_range_of,
)
from augbench.errors import ContractError
from augbench.testing._calls import Subject
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._search import UnusableError
from augbench.testing._shares import CHANNELS_FIRST, channels_last, check_shares, numbers
from augbench.testing._sizes import fails_at_a_size, plain_cases, size_checks
from augbench.testing.strategies import Case

__all__ = ["OUTPUT_CHECKS", "failed_on"]


def _declarations(subject: Subject) -> None:
    made = subject.target.create()
    try:
        for declared in (
            *(needs_of, shares_of, value_range_of, returns_distribution_of),
            operations_of,
        ):
            declared(made)
    except ContractError as error:
        raise ViolationError(str(error), subject.target.name) from None
    sources = getattr(made, "sources", None)
    if not isinstance(sources, int) or isinstance(sources, bool) or sources < 1:
        raise ViolationError(
            f"expected a class attribute `sources` of 1 or more, got {sources!r}",
            subject.target.name,
        )


def _takes_channels_last(subject: Subject, case: Case) -> bool:
    """True if no call succeeds on images [N, C, H, W], and this one does on [N, H, W, C]."""
    if not subject.always_raises:
        return False
    sources = [channels_last(source) for source in case.sources(subject.count)]
    call = subject.call(case, sources=sources)
    try:
        return call.image.shape == sources[0].shape
    except UnusableError:
        return False


def _raises(subject: Subject) -> Callable[[Case], str | None]:
    def examine(case: Case) -> str | None:
        error = subject.call(case).error
        if error is None:
            return None
        hint = f"; it works on {CHANNELS_FIRST}" if _takes_channels_last(subject, case) else ""
        return f"raises {type(error).__name__}: {error}{hint}"

    return examine


_SIZE_CHECKS = size_checks(_raises, examples=15)

_AWKWARD_SIZES = ((8, 8), (33, 8), (8, 33), (28, 28))


def _runs(subject: Subject) -> None:
    subject.search(_raises(subject), plain_cases(), examples=10)
    # What only some sizes break belongs to their own checks; what is left belongs here.
    if fails_at_a_size(_SIZE_CHECKS, subject):
        return
    # Where awkward sizes meet, each pair of them by itself: a search may never draw some of them.
    for n, channels, (height, width) in product((1, 3, 4), (1, 3), _AWKWARD_SIZES):
        corner = Case(n=n, channels=channels, height=height, width=width)
        if message := _raises(subject)(corner):
            raise ViolationError(message, corner)
    subject.search(_raises(subject))


def _type(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        call = subject.call(case)
        try:
            image, weights = call.parts
        except UnusableError:
            if call.error is not None:
                raise
            wanted = f"a tuple (image, {call.second})"
            if subject.count == 1 and call.classes is None:
                wanted = "an image, or a tuple (image, weight)"
            return f"expected {wanted}, got {type(call.returned).__name__}"
        if not isinstance(image, Tensor):
            return f"expected the image as a torch.Tensor, got {type(image).__name__}"
        if image.dtype != torch.float32:
            return f"expected the image as float32, got {str(image.dtype).removeprefix('torch.')}"
        if weights is None:
            return None
        try:
            converted = torch.as_tensor(weights)
        except (TypeError, ValueError, RuntimeError):
            return f"expected {call.second} as a tensor of floats, got {type(weights).__name__}"
        if not converted.is_floating_point():
            kind = str(converted.dtype).removeprefix("torch.")
            return f"expected {call.second} as a tensor of floats, got {kind}"
        return None

    subject.search(examine)


def _shape(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        call = subject.call(case)
        image, weights = call.parts
        wanted = list(call.anchor.shape)
        if isinstance(image, Tensor) and list(image.shape) != wanted:
            last = list(image.shape) == [case.n, case.height, case.width, case.channels]
            hint = ": it is N×H×W×C, and images are N×C×H×W" if last else ""
            return f"expected an image of shape {wanted}, got {list(image.shape)}{hint}"
        if weights is None:
            return None
        try:
            shape = list(torch.as_tensor(weights).shape)
        except (TypeError, ValueError, RuntimeError):
            raise UnusableError(f"the {call.second} are no numbers: see 'type'") from None
        if shape == call.second_shape:
            return None
        return f"expected {call.second} of shape {call.second_shape}, got {shape}"

    subject.search(examine)


_WITHOUT_GPU = (
    "needs a GPU, and there is none; torch's meta device, which has shapes but no values, cannot "
    "run it"
)


def _device(subject: Subject) -> None:
    devices = ["cpu", "cuda" if torch.cuda.is_available() else "meta"]

    def examine(case: Case) -> str | None:
        for device in devices:
            call = subject.call(case, device=device)
            if call.error is not None and device != "cpu":
                return failed_on(device, call.error)
            for what, value in zip(("image", call.second), call.parts, strict=True):
                if isinstance(value, Tensor) and value.device != call.anchor.device:
                    verb = "is" if what == "image" else "are"
                    return f"the sources are on {device}, the {what} {verb} on {value.device}"
        return None

    subject.search(examine, examples=5)


def failed_on(device: str, error: BaseException) -> str:
    """The error of a call on another device in words; skips where it says nothing of a GPU."""
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if device != "meta":
        return f"raises {told} on {device}"
    if "same device" in told or "expected device" in told:
        return f"on any device but the CPU, it raises {told} (new tensors: `x.new_tensor(…)`)"
    raise SkippedError(f"{_WITHOUT_GPU} ({told[:120]})")


def _finite(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        image = subject.call(case).image
        bad = int((~image.isfinite()).sum())
        return f"{bad} of {image.numel()} values are NaN or infinite" if bad else None

    subject.search(examine)


def _range(subject: Subject) -> None:
    try:
        low, high = value_range_of(subject.prototype)
    except ContractError:
        raise SkippedError("the range is not declared: see 'declarations'") from None
    slack = 1e-6 * max(1.0, high - low)

    def examine(case: Case) -> str | None:
        image = subject.call(case).image
        values = image[image.isfinite()]
        if values.numel() == 0:
            raise UnusableError("no value is finite: see 'finite'")
        least, most = float(values.min()), float(values.max())
        if least < low - slack or most > high + slack:
            return (
                f"values from {least:.6g} to {most:.6g}, declared are {low:g} to {high:g} "
                "(`value_range` declares another range)"
            )
        return None

    subject.search(examine)


def _weights(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        call = subject.call(case)
        for row, one in enumerate(call.weights):
            told = f"the {call.second} of row {row} are {numbers(one)}"
            if not one.isfinite().all() or (one < 0).any():
                return f"{told}, expected none below 0"
            if abs(float(one.sum()) - 1) > 1e-4:
                return f"{told}, which sum to {float(one.sum()):.6g}"
        return None

    subject.search(examine)


OUTPUT_CHECKS: tuple[Check[Subject], ...] = (
    Check("declarations", "it can be made, and declares what it is like", _declarations),
    Check("runs", "it can be called", _runs),
    *_SIZE_CHECKS,
    Check("type", "it returns a float32 image, and weights that are floats", _type),
    Check("shape", "the image has the sources' shape, and each image its weights", _shape),
    Check("device", "image and weights lie on the sources' device", _device),
    Check("finite", "all values are finite", _finite),
    Check("range", "all values lie in the declared range", _range),
    Check("weights", "weights are not negative, and each row's sum to 1", _weights),
    Check("shares", "the weights are the sources' shares of the pixels", check_shares),
)
