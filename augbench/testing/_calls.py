"""Call an augmentation under watch, and read the parts of its result that are readable."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from augbench.augmentations.contract import needs_of, returns_distribution_of
from augbench.errors import AugbenchError
from augbench.plugins.isolation import PLUGIN_FAILURES
from augbench.testing._checks import SkippedError, ViolationError
from augbench.testing._search import UnusableError, smallest_failure
from augbench.testing._targets import Target
from augbench.testing.strategies import Case, cases

__all__ = ["Call", "Subject"]


@dataclass(frozen=True)
class Call:
    """One call: its inputs before and after, by name, and its result or error.

    `count` is the number of sources; with `classes`, a class distribution is expected in place of
    weights.
    """

    case: Case
    count: int
    classes: int | None
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    returned: Any = None
    error: BaseException | None = None

    @property
    def anchor(self) -> Tensor:
        """The first source, as it was before the call."""
        return self.before["source 0"]

    @property
    def second(self) -> str:
        """The second result in words."""
        return "weights" if self.classes is None else "class probabilities"

    @property
    def second_shape(self) -> list[int]:
        """The shape of the second result: [N], [N, sources] or [N, classes]."""
        width = self.classes or (self.count if self.count > 2 else None)
        return [self.case.n] if width is None else [self.case.n, width]

    @property
    def parts(self) -> tuple[Any, Any]:
        """(image, weights) as returned; the weights are None where one source needs none."""
        if self.error is not None:
            raise UnusableError("every call raises an error: see 'runs'")
        if self.count == 1 and self.classes is None and isinstance(self.returned, Tensor):
            return self.returned, None
        if isinstance(self.returned, tuple) and len(self.returned) == 2:
            return self.returned
        raise UnusableError(f"it does not return (image, {self.second}): see 'type'")

    @property
    def image(self) -> Tensor:
        """The image, if it is a tensor of floats on the sources' device."""
        image = self.parts[0]
        if not isinstance(image, Tensor) or not image.is_floating_point():
            raise UnusableError("the image is no tensor of floats: see 'type'")
        if image.device != self.anchor.device:
            raise UnusableError("the image is on another device: see 'device'")
        if image.ndim == 0 or len(image) != self.case.n:
            raise UnusableError("the image has another shape: see 'shape'")
        return image.detach()

    @property
    def weights(self) -> Tensor:
        """The weights of the sources, or class probabilities, float64 [N, K] on the CPU."""
        given = self.parts[1]
        if given is None:
            return torch.ones(self.case.n, 1, dtype=torch.float64)
        if isinstance(given, Tensor) and given.device.type == "meta":
            raise UnusableError(f"the {self.second} are on another device: see 'device'")
        try:
            weights = torch.as_tensor(given).detach().cpu().double()
        except (TypeError, ValueError, RuntimeError):
            raise UnusableError(f"the {self.second} are no numbers: see 'type'") from None
        if list(weights.shape) != self.second_shape:
            raise UnusableError(f"the {self.second} have another shape: see 'shape'")
        if self.count <= 2 and self.classes is None:
            weights = torch.stack([weights, 1 - weights], dim=1)[:, : self.count]
        return weights

    @property
    def valid_weights(self) -> Tensor:
        """The weights, if they are not negative and their rows sum to 1."""
        weights = self.weights
        if not ((weights >= 0).all() and ((weights.sum(1) - 1).abs() <= 1e-4).all()):
            raise UnusableError("the weights are none: see 'weights'")
        return weights

    def same_as(self, other: Call) -> bool:
        """True if both calls returned the same bits."""
        images = self.image, other.image
        if images[0].shape != images[1].shape or images[0].dtype != images[1].dtype:
            return False
        return _equal(*images) and _equal(self.weights, other.weights)


def _named(**inputs: Any) -> dict[str, Tensor]:
    """Each tensor by name: `source 0`, `source 1`, `labels 0`, `progress`."""
    named: dict[str, Tensor] = {}
    for name, value in inputs.items():
        if isinstance(value, tuple):
            named |= {f"{name} {k}": one for k, one in enumerate(value)}
        else:
            named[name] = value
    return named


def _equal(left: Tensor, right: Tensor) -> bool:
    return bool(((left == right) | (left.isnan() & right.isnan())).all())


@dataclass
class Subject:
    """An augmentation to check; `seconds` bounds the search of each check."""

    target: Target
    seconds: float
    _prototype: Any = field(default=None, init=False)

    @property
    def prototype(self) -> Any:
        """The augmentation, which is never called itself; skips where it cannot be made."""
        if self._prototype is None:
            try:
                made = self.target.create()
                made.sources + 0
            except (ViolationError, *PLUGIN_FAILURES):
                raise SkippedError("it could not be made: see 'declarations'") from None
            self._prototype = made
        return self._prototype

    @property
    def count(self) -> int:
        """The number of sources it takes."""
        return int(self.prototype.sources)

    @property
    def needs(self) -> frozenset[str]:
        """Its needs beyond the sources; see `needs_of`."""
        try:
            return needs_of(self.prototype)
        except AugbenchError:
            raise SkippedError("what it needs is unknown: see 'declarations'") from None

    @property
    def returns_distribution(self) -> bool:
        """True if it returns a class distribution instead of weights."""
        try:
            return returns_distribution_of(self.prototype)
        except AugbenchError:
            raise SkippedError("what it returns is unknown: see 'declarations'") from None

    @cached_property
    def always_raises(self) -> bool:
        """True if not even a plain call succeeds."""
        return self.call(Case(n=4, height=28, width=28)).error is not None

    def fresh(self) -> Any:
        """Return an instance that nothing has called before."""
        try:
            return copy.deepcopy(self.prototype)
        except PLUGIN_FAILURES:
            return self.prototype

    def supplied(self, case: Case) -> dict[str, Any]:
        """What it needs besides sources and `rng`, by keyword: tensors, or one a source."""
        given: dict[str, Any] = {}
        if "gradients" in self.needs:
            given["gradients"] = case.gradients(self.count)
        if "labels" in self.needs:
            given["labels"] = case.labels(self.count)
        if "progress" in self.needs:
            given["progress"] = case.progress()
        return given

    def call(
        self,
        case: Case,
        *,
        augmentation: Any = None,
        sources: Sequence[Tensor] | None = None,
        supplied: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> Call:
        """Call it, by default a fresh one, by default on the case's own images."""

        def own(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(own, value))
            return value.clone().to(device)

        given = own(tuple(case.sources(self.count) if sources is None else sources))
        keywords = {
            name: own(value)
            for name, value in (self.supplied(case) if supplied is None else supplied).items()
        }
        inputs = _named(source=given, **keywords)
        before = {name: value.clone() for name, value in inputs.items()}
        classes = case.classes if self.returns_distribution else None
        if classes is not None:
            keywords["classes"] = classes
        call = Call(case, self.count, classes, before, inputs)
        augmentation = self.fresh() if augmentation is None else augmentation
        try:
            return replace(call, returned=augmentation(*given, rng=case.rng(), **keywords))
        except PLUGIN_FAILURES as error:
            return replace(call, error=error)

    def search(
        self,
        examine: Callable[[Case], str | None],
        strategy: st.SearchStrategy[Case] | None = None,
        *,
        examples: int = 24,
    ) -> None:
        """Raise `ViolationError` for the smallest case that `examine` returns a message for."""
        _ = self.needs  # skips before anything is drawn
        found = smallest_failure(
            cases() if strategy is None else strategy,
            examine,
            seconds=self.seconds,
            examples=examples,
        )
        if found is not None:
            raise ViolationError(found[1], found[0])
