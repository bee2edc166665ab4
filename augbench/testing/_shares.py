"""The share test: the weights of an augmentation are its sources' shares of the pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from augbench.augmentations.contract import shares_of
from augbench.errors import ContractError
from augbench.testing._calls import Subject
from augbench.testing._checks import SkippedError
from augbench.testing._search import UnusableError
from augbench.testing.strategies import Case, image_batch

__all__ = ["CHANNELS_FIRST", "channels_last", "check_shares", "numbers"]

CHANNELS_FIRST = "images given as N×H×W×C, but they come as N×C×H×W"
_TOLERANCE = 1e-6


def channels_last(images: Tensor) -> Tensor:
    """Images [N, C, H, W] as [N, H, W, C]."""
    return images.permute(0, 2, 3, 1).contiguous()


def check_shares(subject: Subject) -> None:
    """Check that the weights are the sources' shares of the pixels, where they claim to be."""
    try:
        claim = shares_of(subject.prototype)
    except ContractError:
        raise SkippedError("the claim is unknown: see 'declarations'") from None
    if subject.returns_distribution:
        raise SkippedError("it returns class probabilities: its sources have no weights")
    if subject.count == 1:
        raise SkippedError("one source: its label is kept")
    if isinstance(claim, str):
        raise SkippedError(f"no pixel shares are claimed: {claim}")

    def examine(case: Case) -> str | None:
        for sources in (
            _textured(case, subject.count),
            _encoded(case, subject.count, subject.count),
        ):
            call = subject.call(case, sources=sources)
            if call.error is None:
                weights = call.valid_weights
                if not call.image.isfinite().all():
                    raise UnusableError("not all values are finite: see 'finite'")
                shares = call.image.cpu().double().mean(dim=(2, 3))[:, : subject.count]
                break
        else:  # it may refuse that many channels: one source at a time
            shares, weights = _one_by_one(subject, case)
        off = (shares - weights).abs().max(dim=1).values.nan_to_num(nan=torch.inf)
        row = int(off.argmax())
        if bool(off[row] <= _TOLERANCE):
            return None
        hint = f"; they are of {CHANNELS_FIRST}" if _shares_channels_last(subject, case) else ""
        return (
            f"the weights of row {row} are {numbers(weights[row])}, "
            f"but its sources' shares of the pixels are {numbers(shares[row])}{hint}"
        )

    subject.search(examine, examples=40)


def _encoded(case: Case, count: int, channels: int) -> list[Tensor]:
    """Make sources that encode themselves: source k is 1 in channel k and 0 elsewhere.

    The channel means of an output are then the shares of its sources.
    """
    encoded = []
    for k in range(count):
        source = torch.zeros(case.n, max(3, channels), case.height, case.width)
        source[:, k] = 1
        encoded.append(source)
    return encoded


def _textured(case: Case, count: int) -> list[Tensor]:
    """As `_encoded`, with a texture in one more channel, of another brightness in each image.

    Weights that follow the content of the images are then no shares of the pixels.
    """
    encoded = _encoded(case, count, count + 1)
    rng = np.random.default_rng(case.seed)
    for k, source in enumerate(encoded):
        texture = image_batch(case.n, 1, case.height, case.width, count * case.seed + k)
        brightness = torch.tensor(rng.random((case.n, 1, 1)), dtype=torch.float32)
        source[:, count] = texture[:, 0] * brightness
    return encoded


def _shares_channels_last(subject: Subject, case: Case) -> bool:
    """True if the weights are the shares of the pixels of images [N, H, W, C]."""
    sources = [channels_last(source) for source in _encoded(case, subject.count, subject.count)]
    call = subject.call(case, sources=sources)
    try:
        shares, weights = call.image.double().mean(dim=(1, 2))[:, : subject.count], call.weights
    except UnusableError:
        return False
    return shares.shape == weights.shape and bool(((shares - weights).abs() <= _TOLERANCE).all())


def _one_by_one(subject: Subject, case: Case) -> tuple[Tensor, Tensor]:
    shares, weights = [], torch.empty(0)
    for k in range(subject.count):
        shape = (case.n, case.channels, case.height, case.width)
        call = subject.call(
            case, sources=[torch.full(shape, float(k == j)) for j in range(subject.count)]
        )
        shares.append(call.image.cpu().double().mean(dim=(1, 2, 3)))
        weights = call.valid_weights
    return torch.stack(shares, dim=1), weights


def numbers(values: Tensor) -> str:
    """Numbers in words: (0.250000, 0.750000)."""
    return "(" + ", ".join(f"{float(value):.6f}" for value in values) + ")"
