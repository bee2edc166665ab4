"""Call a corruption under watch, on images of the kit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from augbench.corruptions.contract import STRENGTHS
from augbench.plugins.isolation import PLUGIN_FAILURES
from augbench.testing._checks import SkippedError, ViolationError
from augbench.testing._search import UnusableError, smallest_failure
from augbench.testing._targets import Target
from augbench.testing.strategies import Case, cases

__all__ = ["Call", "Subject", "smooth_images"]


def smooth_images(count: int, channels: int, side: int) -> Tensor:
    """Return images uint8 [N, C, side, side] in which near pixels are alike, as in photographs.

    Noise whose amplitude falls with the square of its frequency, stretched to 0 … 255. On white
    noise, a shift by one pixel changes as much as one by ten.
    """
    rng = np.random.default_rng(count)
    spectrum = np.fft.rfft2(rng.standard_normal((count, channels, side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf  # no constant part
    field = np.fft.irfft2(spectrum / frequency**2, s=(side, side))
    low, high = (f(field, axis=(2, 3), keepdims=True) for f in (np.min, np.max))
    return torch.tensor((field - low) / (high - low) * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Call:
    """One call: images before and after, and its result or error."""

    case: Case
    before: Tensor
    after: Tensor
    returned: Any = None
    error: BaseException | None = None

    @property
    def images(self) -> Tensor:
        """The returned images, if they are uint8 of the expected shape and device."""
        if self.error is not None:
            raise UnusableError("the call raises an error: see 'runs'")
        if not isinstance(self.returned, Tensor) or self.returned.dtype != torch.uint8:
            raise UnusableError("it returns no tensor of uint8: see 'type'")
        if self.returned.shape != self.before.shape:
            raise UnusableError("the images have another shape: see 'shape'")
        if self.returned.device != self.before.device:
            raise UnusableError("the images are on another device: see 'device'")
        return self.returned


@dataclass
class Subject:
    """A corruption to check; `seconds` bounds the search of each check.

    `target` is resolved at the medium strength.
    """

    target: Target
    text: str
    seconds: float
    _made: dict[int, Any] = field(default_factory=dict, init=False)

    def make(self, strength: int) -> Any:
        """Make one at a strength; raises what the registry raises."""
        registry = self.target.registry
        component = registry.resolve("corruption", self.text, {"strength": strength})
        return registry.create(component)

    def prototype(self, strength: int = 2) -> Any:
        """The corruption at a strength, never called itself; skips where it cannot be made."""
        if strength not in self._made:
            try:
                self._made[strength] = self.make(strength)
            except (ViolationError, *PLUGIN_FAILURES):
                raise SkippedError("it could not be made: see 'declarations'") from None
        return self._made[strength]

    def fresh(self, strength: int = 2) -> Any:
        """Return an object that nothing has called before."""
        try:
            return copy.deepcopy(self.prototype(strength))
        except PLUGIN_FAILURES:
            return self.prototype(strength)

    @cached_property
    def always_raises(self) -> bool:
        """True if not even a plain call succeeds."""
        return self.call(Case(n=4, height=28, width=28)).error is not None

    def call(
        self,
        case: Case,
        *,
        corruption: Any = None,
        strength: int = 2,
        images: Tensor | None = None,
        device: str = "cpu",
    ) -> Call:
        """Call it, by default a fresh one, by default on the case's own images."""
        given = (case.images() if images is None else images.clone()).to(device)
        call = Call(case, given.clone(), given)
        corruption = self.fresh(strength) if corruption is None else corruption
        try:
            return replace(call, returned=corruption(given, rng=case.rng()))
        except PLUGIN_FAILURES as error:
            return replace(call, error=error)

    def distance(self, strength: int) -> float:
        """The mean |difference| to smooth images, grey and colour, in levels of 255."""
        told = []
        for channels in (1, 3):
            images = smooth_images(48, channels, 32)
            call = self.call(Case(n=48, channels=channels), strength=strength, images=images)
            told.append((call.images.double() - images.double()).abs().mean().item())
        return sum(told) / len(told)

    def search(
        self,
        examine: Callable[[Case, int], str | None],
        strategy: st.SearchStrategy[Case] | None = None,
        *,
        examples: int = 15,
    ) -> None:
        """Raise `ViolationError` for the smallest case that `examine` has a message for.

        `examine` is given a case and a strength; all three are drawn.
        """
        for strength in STRENGTHS:
            self.prototype(strength)  # skips before anything is drawn

        def examine_drawn(drawn: tuple[Case, int]) -> str | None:
            return examine(*drawn)

        found = smallest_failure(
            st.tuples(cases() if strategy is None else strategy, st.sampled_from(STRENGTHS)),
            examine_drawn,
            seconds=self.seconds,
            examples=examples,
        )
        if found is not None:
            (case, strength), message = found
            raise ViolationError(message, f"{case!r} at strength {strength}")
