"""Checks of a corruption: declarations, output, strengths, randomness, side effects."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import torch

from augbench.corruptions.contract import STRENGTHS, operations_of
from augbench.errors import AugbenchError, ContractError
from augbench.plugins.isolation import PLUGIN_FAILURES, describe
from augbench.testing._augmentation_outputs import failed_on
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._corruption_calls import Call, Subject, smooth_images
from augbench.testing._globals import changed_by
from augbench.testing._search import UnusableError
from augbench.testing._sizes import fails_at_a_size, plain_cases, size_checks
from augbench.testing._targets import component_checks
from augbench.testing.strategies import Case, cases

__all__ = ["CORRUPTION_CHECKS"]


def _declarations(subject: Subject) -> None:
    for strength in STRENGTHS:
        try:
            made = subject.make(strength)
        except AugbenchError as error:
            raise ViolationError(f"at strength {strength}: {error}", subject.target.name) from None
        try:
            if not operations_of(made):
                raise ViolationError(
                    "declares no `operations`: say what it does to an image", subject.target.name
                )
        except ContractError as error:
            raise ViolationError(str(error), subject.target.name) from None
    for strength in (0, 4):
        try:
            subject.make(strength)
        except AugbenchError as error:
            if isinstance(error.__cause__, ValueError):
                continue
            raise ViolationError(
                f"expected a ValueError for strength {strength}, got: {error}", subject.target.name
            ) from None
        raise ViolationError(
            f"takes a strength of {strength}; expected a ValueError for any but 1, 2 and 3",
            subject.target.name,
        )


def _raises(subject: Subject) -> Callable[[Case, int], str | None]:
    def examine(case: Case, strength: int) -> str | None:
        error = subject.call(case, strength=strength).error
        return None if error is None else f"raises {type(error).__name__}: {error}"

    return examine


_SIZE_CHECKS = size_checks(_raises, examples=12)


def _runs(subject: Subject) -> None:
    subject.search(_raises(subject), plain_cases(), examples=9)
    # What only some sizes break belongs to their own checks; what is left belongs here.
    if fails_at_a_size(_SIZE_CHECKS, subject):
        return
    subject.search(_raises(subject))


def _type(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        call = subject.call(case, strength=strength)
        if call.error is not None:
            raise UnusableError("the call raises an error: see 'runs'")
        if not isinstance(call.returned, torch.Tensor):
            return f"expected a torch.Tensor, got {type(call.returned).__name__}"
        if call.returned.dtype != torch.uint8:
            return f"expected uint8, got {str(call.returned.dtype).removeprefix('torch.')}"
        return None

    subject.search(examine)


def _shape(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        call = subject.call(case, strength=strength)
        if not isinstance(call.returned, torch.Tensor):
            raise UnusableError("it returns no tensor: see 'runs' and 'type'")
        expected, got = list(call.before.shape), list(call.returned.shape)
        return None if got == expected else f"expected images of shape {expected}, got {got}"

    subject.search(examine)


def _device(subject: Subject) -> None:
    """On a GPU, or without one on torch's meta device, which has shapes and no values."""
    other = "cuda" if torch.cuda.is_available() else "meta"

    def examine(case: Case, strength: int) -> str | None:
        for device in ("cpu", other):
            call = subject.call(case, strength=strength, device=device)
            if call.error is not None and device != "cpu":
                return failed_on(device, call.error)
            if isinstance(call.returned, torch.Tensor):
                place = call.returned.device
                if place != call.before.device:
                    return f"the images are on {device}, what it returned is on {place}"
        return None

    subject.search(examine, examples=5)


def _inputs(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        call = subject.call(case, strength=strength)
        if call.error is not None:
            raise UnusableError("the call raises an error: see 'runs'")
        return None if torch.equal(call.before, call.after) else "images were changed in place"

    subject.search(examine)


def _repeatable(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        corruption = subject.fresh(strength)
        first, second = (subject.call(case, corruption=corruption) for _ in range(2))
        if torch.equal(first.images, second.images):
            return None
        return "called twice with the same state of `rng`, it returned different images"

    subject.search(examine)


def _global_state(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        calls: list[Call] = []
        changed = changed_by(lambda: calls.append(subject.call(case, strength=strength)))
        if calls[0].error is not None:
            raise UnusableError("the call raises an error: see 'runs'")
        return f"{changed}: all randomness must come from `rng`" if changed else None

    subject.search(examine)


def _rows(subject: Subject) -> None:
    def examine(case: Case, strength: int) -> str | None:
        images = case.images()
        if case.seed % 2:  # all dark beside one bright image: what is the batch's shows
            images = images // 16
        row = case.seed % case.n
        other = images.clone()
        other[row] = 255 - other[row]
        first, second = (
            subject.call(case, strength=strength, images=one).images for one in (images, other)
        )
        for k in range(case.n):
            if k != row and not torch.equal(first[k], second[k]):
                return f"row {k} of what it returned changed with row {row} of the images"
        return None

    subject.search(examine, cases(n=(2, 3, 4, 5, 8)))


def _draws(subject: Subject) -> None:
    images = smooth_images(1, 1, 28).expand(16, -1, -1, -1)
    returned = []
    for seed in range(8):
        call = subject.call(Case(n=16, seed=seed), images=images)
        try:
            rows = call.images
        except UnusableError as error:
            raise SkippedError(str(error)) from None
        if (rows != rows[0]).any():
            return  # equal images, different rows: drawn for each
        returned.append(rows[0])
    if any(not torch.equal(one, returned[0]) for one in returned):
        raise ViolationError(
            "16 equal images became 16 equal images, which another seed changes: one draw for the "
            "whole batch; draw with size=N"
        )


def _distances(subject: Subject) -> list[float]:
    try:
        return [subject.distance(strength) for strength in STRENGTHS]
    except UnusableError as error:
        raise SkippedError(str(error)) from None


def _changes(subject: Subject) -> None:
    for strength, distance in zip(STRENGTHS, _distances(subject), strict=True):
        if distance == 0:
            raise ViolationError(f"at strength {strength}, no image is changed")


def _strengths(subject: Subject) -> None:
    distances = _distances(subject)
    if not distances[0] < distances[1] < distances[2]:
        told = ", ".join(f"{distance:.3g}" for distance in distances)
        raise ViolationError(
            f"at strengths 1, 2 and 3, pixels change by {told} levels of 255 on average; expected "
            "each to be more than the one before"
        )


def _pickling(subject: Subject) -> None:
    fresh = subject.fresh()
    try:
        copied = pickle.loads(pickle.dumps(fresh))
    except PLUGIN_FAILURES as error:
        raise ViolationError(
            f"cannot be pickled ({describe(error)}); worker processes need it", subject.target.name
        ) from None
    case = Case(n=4, height=28, width=28)
    try:
        first, second = (subject.call(case, corruption=one).images for one in (fresh, copied))
    except UnusableError as error:
        raise SkippedError(str(error)) from None
    if not torch.equal(first, second):
        raise ViolationError("a pickled copy returned other images", subject.target.name)


CORRUPTION_CHECKS: tuple[Check[Subject], ...] = (
    Check("declarations", "it can be made at strengths 1, 2 and 3 alone", _declarations),
    Check("runs", "it can be called", _runs),
    *_SIZE_CHECKS,
    Check("type", "it returns a tensor of uint8", _type),
    Check("shape", "the images keep their shape", _shape),
    Check("device", "the images stay on their device", _device),
    Check("inputs", "the images that it is given are left unchanged", _inputs),
    Check("repeatable", "the same state of `rng` gives the same images", _repeatable),
    Check("global-state", "no global random state is touched", _global_state),
    Check("rows", "row i depends on row i of the images and on the draws alone", _rows),
    Check("draws", "each image has draws of its own", _draws),
    Check("changes", "images are changed at every strength", _changes),
    Check("strengths", "a greater strength changes images more", _strengths),
    Check("pickling", "it can be pickled, and is the same afterwards", _pickling),
    *component_checks(after="declarations"),
)
