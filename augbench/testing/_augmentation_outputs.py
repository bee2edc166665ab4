"""Checks of an augmentation's output: type, shape, device, values, weights, shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from augbench.augmentations.contract import needs_of, shares_of, value_range_of
from augbench.errors import ContractError
from augbench.testing._calls import Call, Subject
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._search import UnusableError
from augbench.testing.strategies import Case, cases

__all__ = ["OUTPUT_CHECKS"]

_SHARE_TOLERANCE = 1e-6


def _declarations(subject: Subject) -> None:
    made = subject.target.create()
    try:
        for declared in (needs_of, shares_of, value_range_of):
            declared(made)
    except ContractError as error:
        raise ViolationError(str(error), subject.target.name) from None
    sources = getattr(made, "sources", None)
    if not isinstance(sources, int) or isinstance(sources, bool) or sources < 1:
        raise ViolationError(
            f"expected a class attribute `sources` of 1 or more, got {sources!r}",
            subject.target.name,
        )


def _raises(subject: Subject) -> Callable[[Case], str | None]:
    def examine(case: Case) -> str | None:
        error = subject.call(case).error
        return None if error is None else f"raises {type(error).__name__}: {error}"

    return examine


def _plain_cases(
    n: Sequence[int] = (2, 4, 8),
    channels: Sequence[int] = (1,),
    heights: tuple[int, int] = (28, 28),
    widths: tuple[int, int] = (28, 28),
) -> st.SearchStrategy[Case]:
    return cases(n=n, channels=channels, heights=heights, widths=widths)


def _size_check(strategy: st.SearchStrategy[Case]) -> Callable[[Subject], None]:
    """Make a check that calls succeed whose size is awkward in one way and plain otherwise."""

    def run(subject: Subject) -> None:
        if subject.always_raises:
            raise SkippedError("every call raises an error: see 'runs'")
        subject.search(_raises(subject), strategy, examples=15)

    return run


_SIZE_CHECKS = (
    Check("one-image", "a batch of one image works", _size_check(_plain_cases(n=(1,)))),
    Check("odd-batch", "batches of odd size work", _size_check(_plain_cases(n=(3, 5, 7)))),
    Check(
        "image-sizes",
        "images of odd sides and images that are not square work",
        _size_check(_plain_cases(heights=(8, 33), widths=(8, 33))),
    ),
    Check(
        "channels", "images of 1 and of 3 channels work", _size_check(_plain_cases(channels=(1, 3)))
    ),
)


def _runs(subject: Subject) -> None:
    subject.search(_raises(subject), _plain_cases(), examples=10)
    # What only some sizes break belongs to their own checks; what is left belongs here.
    for check in _SIZE_CHECKS:
        try:
            check.run(subject)
        except ViolationError:
            return
    subject.search(_raises(subject))


def _type(subject: Subject) -> None:
    many = subject.count > 1

    def examine(case: Case) -> str | None:
        call = subject.call(case)
        try:
            image, weights = call.parts
        except UnusableError:
            if call.error is not None:
                raise
            wanted = "a tuple (image, weights)" if many else "an image, or a tuple (image, weight)"
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
            return f"expected weights as a tensor of floats, got {type(weights).__name__}"
        if not converted.is_floating_point():
            kind = str(converted.dtype).removeprefix("torch.")
            return f"expected weights as a tensor of floats, got {kind}"
        return None

    subject.search(examine)


def _shape(subject: Subject) -> None:
    count = subject.count

    def examine(case: Case) -> str | None:
        call = subject.call(case)
        image, weights = call.parts
        if isinstance(image, Tensor) and image.shape != call.before[0].shape:
            wanted = list(call.before[0].shape)
            return f"expected an image of shape {wanted}, got {list(image.shape)}"
        if weights is None:
            return None
        try:
            shape = list(torch.as_tensor(weights).shape)
        except (TypeError, ValueError, RuntimeError):
            raise UnusableError("the weights are no numbers: see 'type'") from None
        expected = [case.n] if count <= 2 else [case.n, count]
        return None if shape == expected else f"expected weights of shape {expected}, got {shape}"

    subject.search(examine)


def _device(subject: Subject) -> None:
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]

    def examine(case: Case) -> str | None:
        for device in devices:
            call = subject.call(case, device=device)
            if call.error is not None and device != "cpu":
                return f"raises {type(call.error).__name__} on {device}: {call.error}"
            for what, value in zip(("image", "weights"), call.parts, strict=True):
                if isinstance(value, Tensor) and value.device != call.before[0].device:
                    return f"the sources are on {device}, the {what} on {value.device}"
        return None

    subject.search(examine, examples=5)


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
        weights = subject.call(case).weights
        for row, one in enumerate(weights):
            shown = _numbers(one)
            if not one.isfinite().all() or (one < 0).any():
                return f"the weights of row {row} are {shown}, expected none below 0"
            if abs(float(one.sum()) - 1) > 1e-4:
                return f"the weights of row {row} are {shown}, which sum to {float(one.sum()):.6g}"
        return None

    subject.search(examine)


def _shares(subject: Subject) -> None:
    try:
        claim = shares_of(subject.prototype)
    except ContractError:
        raise SkippedError("the claim is unknown: see 'declarations'") from None
    if subject.count == 1:
        raise SkippedError("one source: its label is kept")
    if isinstance(claim, str):
        raise SkippedError(f"no pixel shares are claimed: {claim}")

    def examine(case: Case) -> str | None:
        call = subject.call(case, sources=_encoded(case, subject.count))
        if call.error is None:
            weights = call.valid_weights
            if not call.image.isfinite().all():
                raise UnusableError("not all values are finite: see 'finite'")
            shares = call.image.cpu().double().mean(dim=(2, 3))[:, : subject.count]
        else:  # it may refuse that many channels: one source at a time
            shares, weights = _one_by_one(subject, case)
        off = (shares - weights).abs().max(dim=1).values
        row = int(off.nan_to_num(nan=float("inf")).argmax())
        if bool(off[row] <= _SHARE_TOLERANCE):
            return None
        return (
            f"the weights of row {row} are {_numbers(weights[row])}, "
            f"but its sources' shares of the pixels are {_numbers(shares[row])}"
        )

    subject.search(examine, examples=40)


def _encoded(case: Case, count: int) -> list[Tensor]:
    """Make sources that encode themselves: source k is 1 in channel k and 0 elsewhere.

    The channel means of an output are then the shares of its sources.
    """
    encoded = []
    for k in range(count):
        source = torch.zeros(case.n, max(3, count), case.height, case.width)
        source[:, k] = 1
        encoded.append(source)
    return encoded


def _one_by_one(subject: Subject, case: Case) -> tuple[Tensor, Tensor]:
    shares, weights = [], torch.empty(0)
    for k in range(subject.count):
        shape = (case.n, case.channels, case.height, case.width)
        call: Call = subject.call(
            case, sources=[torch.full(shape, float(k == j)) for j in range(subject.count)]
        )
        shares.append(call.image.cpu().double().mean(dim=(1, 2, 3)))
        weights = call.valid_weights
    return torch.stack(shares, dim=1), weights


def _numbers(values: Tensor) -> str:
    return "(" + ", ".join(f"{float(value):.6f}" for value in values) + ")"


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
    Check("shares", "the weights are the sources' shares of the pixels", _shares),
)
