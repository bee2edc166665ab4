"""Call an augmentation under watch, and read the parts of its result that are readable."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from augbench.augmentations.contract import needs_of
from augbench.errors import AugbenchError
from augbench.testing._checks import SkippedError, ViolationError
from augbench.testing._search import UnusableError, smallest_failure
from augbench.testing._targets import Target
from augbench.testing.strategies import Case, cases

__all__ = ["Call", "Subject"]


@dataclass(frozen=True)
class Call:
    """One call: its sources before and after, and its result or error."""

    case: Case
    before: list[Tensor]
    after: list[Tensor]
    returned: Any = None
    error: Exception | None = None

    @property
    def parts(self) -> tuple[Any, Any]:
        """(image, weights) as returned; the weights are None where one source needs none."""
        if self.error is not None:
            raise UnusableError("every call raises an error: see 'runs'")
        if len(self.before) == 1 and isinstance(self.returned, Tensor):
            return self.returned, None
        if isinstance(self.returned, tuple) and len(self.returned) == 2:
            return self.returned
        raise UnusableError("it does not return (image, weights): see 'type'")

    @property
    def image(self) -> Tensor:
        """The image, if it is a tensor of floats on the sources' device."""
        image = self.parts[0]
        if not isinstance(image, Tensor) or not image.is_floating_point():
            raise UnusableError("the image is no tensor of floats: see 'type'")
        if image.device != self.before[0].device:
            raise UnusableError("the image is on another device: see 'device'")
        if image.ndim == 0 or len(image) != self.case.n:
            raise UnusableError("the image has another shape: see 'shape'")
        return image.detach()

    @property
    def weights(self) -> Tensor:
        """The weights of the sources, float64 [N, K] on the CPU, if they have a shape for it."""
        given, count = self.parts[1], len(self.before)
        if given is None:
            return torch.ones(self.case.n, 1, dtype=torch.float64)
        if isinstance(given, Tensor) and given.device.type == "meta":
            raise UnusableError("the weights are on another device: see 'device'")
        try:
            weights = torch.as_tensor(given).detach().cpu().double()
        except (TypeError, ValueError, RuntimeError):
            raise UnusableError("the weights are no numbers: see 'type'") from None
        if tuple(weights.shape) != ((self.case.n,) if count <= 2 else (self.case.n, count)):
            raise UnusableError("the weights have another shape: see 'shape'")
        if count <= 2:
            weights = torch.stack([weights, 1 - weights], dim=1)[:, :count]
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
                self._prototype = self.target.create()
                self._prototype.sources + 0
            except (ViolationError, AugbenchError, AttributeError, TypeError):
                raise SkippedError("it could not be made: see 'declarations'") from None
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

    @cached_property
    def always_raises(self) -> bool:
        """True if not even a plain call succeeds."""
        return self.call(Case(n=4, height=28, width=28)).error is not None

    def fresh(self) -> Any:
        """Return an instance that nothing has called before."""
        try:
            return copy.deepcopy(self.prototype)
        except Exception:
            return self.prototype

    def call(
        self,
        case: Case,
        *,
        augmentation: Any = None,
        sources: Sequence[Tensor] | None = None,
        gradients: Sequence[Tensor] | None = None,
        device: str = "cpu",
    ) -> Call:
        """Call it, by default a fresh one, by default on the case's own images."""
        given = case.sources(self.count) if sources is None else sources
        given = [source.clone().to(device) for source in given]
        before = [source.clone() for source in given]
        supplied: dict[str, Any] = {}
        if "gradients" in self.needs:
            some = case.gradients(self.count) if gradients is None else gradients
            supplied["gradients"] = tuple(gradient.clone().to(device) for gradient in some)
        augmentation = self.fresh() if augmentation is None else augmentation
        try:
            returned = augmentation(*given, rng=case.rng(), **supplied)
        except Exception as error:
            return Call(case, before, given, error=error)
        return Call(case, before, given, returned)

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
