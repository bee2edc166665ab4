"""Checks of an augmentation's behaviour: randomness, independence, side effects, pickling."""

from __future__ import annotations

import pickle
from typing import Any

import torch
from torch import Tensor

from augbench.testing._calls import Call, Subject
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._globals import changed_by
from augbench.testing._search import UnusableError
from augbench.testing._targets import check_parameters, check_search_space, check_source
from augbench.testing.strategies import Case, cases

__all__ = ["BEHAVIOUR_CHECKS"]

_LAYERS = ("", "stem", "body", "neck")


def _inputs(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        call = subject.call(case)
        if call.error is not None:
            raise UnusableError("every call raises an error: see 'runs'")
        for name, before in call.before.items():
            if not torch.equal(before, call.after[name]):
                return f"{name} was changed in place"
        return None

    subject.search(examine)


def _repeatable(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        augmentation = subject.fresh()
        first, second = (subject.call(case, augmentation=augmentation) for _ in range(2))
        if first.same_as(second):
            return None
        return "called twice with the same state of `rng`, it returned different results"

    subject.search(examine)


def _global_state(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        calls: list[Call] = []
        changed = changed_by(lambda: calls.append(subject.call(case)))
        if calls[0].error is not None:
            raise UnusableError("every call raises an error: see 'runs'")
        return f"{changed}: all randomness must come from `rng`" if changed else None

    subject.search(examine)


def _rows(subject: Subject) -> None:
    def examine(case: Case) -> str | None:
        # All dark beside one bright image, or the reverse: what is the batch's shows.
        dark = case.seed % 2
        sources = [0.05 * one if dark else one for one in case.sources(subject.count)]
        supplied = subject.supplied(case)
        base = subject.call(case, sources=sources, supplied=supplied)
        changed = case.seed % case.n
        others = [row for row in range(case.n) if row != changed]
        sources = [
            _with_row(
                source, changed, 1 - source[changed] if dark else 0.05 * (1 - source[changed])
            )
            for source in sources
        ]
        supplied = {name: _otherwise(name, one, changed, case) for name, one in supplied.items()}
        call = subject.call(case, sources=sources, supplied=supplied)
        what = " and ".join(["sources", *supplied])
        for row in others:
            if not torch.equal(_bits(base.image[row]), _bits(call.image[row])):
                return f"the image of row {row} changed with the {what} of row {changed}"
            if not torch.equal(_bits(base.weights[row]), _bits(call.weights[row])):
                return f"the {call.second} of row {row} changed with the {what} of row {changed}"
        return None

    subject.search(examine, cases(n=(2, 3, 4, 5, 8)))


def _otherwise(name: str, value: Any, row: int, case: Case) -> Any:
    """What is supplied besides sources, with another value in one row."""
    if isinstance(value, tuple):
        return tuple(_otherwise(name, one, row, case) for one in value)
    if name == "labels":
        return _with_row(value, row, (value[row] + 1) % case.classes)
    if name == "progress":
        return _with_row(value, row, (value[row] + 0.5) % 1)
    return _with_row(value, row, -2 * value[row])


def _with_row(batch: Tensor, row: int, value: Tensor) -> Tensor:
    batch = batch.clone()
    batch[row] = value
    return batch


def _bits(values: Tensor) -> Tensor:
    return values.nan_to_num(nan=-1e30)


def _draws(subject: Subject) -> None:
    # Labels that differ, labels that are equal; early and late: it may draw in some of these alone.
    for variant in range(4 if subject.needs & {"labels", "progress"} else 1):
        _draws_are_each_rows_own(subject, same=bool(variant % 2), progress=0.7 * (variant // 2))


def _draws_are_each_rows_own(subject: Subject, *, same: bool, progress: float) -> None:
    shape = Case(n=16, height=28, width=28)
    outputs = []
    sources = [_repeated(source) for source in shape.sources(subject.count)]
    supplied = {
        name: tuple(map(_repeated, one)) if isinstance(one, tuple) else _repeated(one)
        for name, one in subject.supplied(shape).items()
    }
    if "labels" in supplied:
        kinds = [0 if same else k % shape.classes for k in range(subject.count)]
        supplied["labels"] = tuple(torch.full((16,), kind) for kind in kinds)
    if "progress" in supplied:
        supplied["progress"] = torch.full((16,), progress)
    for seed in range(8):
        case = Case(n=16, height=28, width=28, seed=8 * seed)  # all of as many classes
        call = subject.call(case, sources=sources, supplied=supplied)
        try:
            image, weights = _bits(call.image), _bits(call.weights)
        except UnusableError as error:
            raise SkippedError(str(error)) from None
        if (image != image[0]).any() or (weights != weights[0]).any():
            return  # equal sources, different rows: drawn for each
        outputs.append((image[0], weights[0]))
    if any(not torch.equal(a, outputs[0][0]) for a, _ in outputs):
        raise ViolationError(
            "16 equal rows gave 16 equal outputs, which another seed changes: one draw for the "
            "whole batch; draw with size=N",
            shape,
        )


def _repeated(batch: Tensor) -> Tensor:
    """The first row of a batch in all of its rows."""
    return batch[:1].expand_as(batch)


def _layers(subject: Subject) -> None:
    if "hidden" not in subject.needs:
        raise SkippedError("it mixes images only")

    def examine(case: Case) -> str | None:
        chosen: list[Any] = []
        for _ in range(2):
            try:
                chosen.append(subject.fresh().choose_layer(_LAYERS, rng=case.rng()))
            except Exception as error:
                return f"choose_layer raises {type(error).__name__}: {error}"
        if chosen[0] not in _LAYERS:
            return f"choose_layer: expected one of {_LAYERS}, got {chosen[0]!r}"
        if chosen[0] != chosen[1]:
            return "choose_layer: the same state of `rng` gave two layers"
        hidden = [10 * source.flatten(1) - 5 for source in case.sources(subject.count)]
        call = subject.call(case, sources=hidden)
        if call.error is not None:
            kind = type(call.error).__name__
            return f"features [N, D] of any range: raises {kind}: {call.error}"
        if call.image.shape != hidden[0].shape:
            return f"features {list(hidden[0].shape)} became {list(call.image.shape)}"
        return None

    subject.search(examine)


def _pickling(subject: Subject) -> None:
    fresh = subject.fresh()
    try:
        copied = pickle.loads(pickle.dumps(fresh))
    except Exception as error:
        raise ViolationError(
            f"cannot be pickled ({type(error).__name__}: {error}); worker processes need it",
            subject.target.name,
        ) from None

    def examine(case: Case) -> str | None:
        try:
            again = subject.call(case, augmentation=pickle.loads(pickle.dumps(copied)))
            same = subject.call(case).same_as(again)
        except UnusableError as error:
            if subject.call(case).error is None and again.error is not None:
                return f"once pickled, it raises {type(again.error).__name__}: {again.error}"
            raise error
        return None if same else "a pickled copy returned another result"

    subject.search(examine, examples=5)


def _parameters(subject: Subject) -> None:
    _ = subject.prototype
    check_parameters(subject.target)
    check_search_space(subject.target)


def _source(subject: Subject) -> None:
    _ = subject.prototype
    check_source(subject.target)


BEHAVIOUR_CHECKS: tuple[Check[Subject], ...] = (
    Check("inputs", "the sources are left unchanged", _inputs),
    Check("repeatable", "the same state of `rng` gives the same result", _repeatable),
    Check("global-state", "no global random state is touched", _global_state),
    Check("rows", "row i depends on row i of the sources and on the draws alone", _rows),
    Check("draws", "each image has draws of its own", _draws),
    Check("layers", "any offered layer can be chosen and mixed", _layers),
    Check("pickling", "it can be pickled, and is the same afterwards", _pickling),
    Check(
        "parameters",
        "its parameters round-trip through a study, over its search space too",
        _parameters,
    ),
    Check("source", "its source code is found for the cell's key", _source),
)
