"""Checks of a backbone: its features, its weights, its gradients, its state."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augbench.errors import AugbenchError, StudyError
from augbench.packed import own_dropout
from augbench.testing._checks import Check, SkippedError, ViolationError
from augbench.testing._globals import changed_by, other_state
from augbench.testing._targets import Target, component_checks
from augbench.testing.strategies import image_batch

__all__ = ["BACKBONE_CHECKS", "Subject", "shown"]

Shape = tuple[int, int, int]


@dataclass
class Subject:
    """A backbone's factory, and the image shapes (C, H, W) to build it for."""

    target: Target
    image_shapes: tuple[Shape, ...]
    _fit: list[Shape] = field(default_factory=list, init=False)

    def build(self, shape: Shape, seed: int = 0) -> Any:
        """Call the factory, with torch's generator seeded as the harness does it."""
        channels, height, width = shape
        factory = self.target.create()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return factory(channels, (height, width))

    def module(self, shape: Shape, seed: int = 0) -> nn.Module:
        """Build a module that nothing else uses, in train mode; skips where that fails."""
        try:
            module = self.build(shape, seed)
        except Exception:
            raise SkippedError("it cannot be built: see 'builds'") from None
        if not isinstance(module, nn.Module):
            raise SkippedError("it is no module: see 'builds'")
        return copy.deepcopy(module).train()

    @property
    def shapes(self) -> list[Shape]:
        """The image shapes that the factory accepts."""
        if not self._fit:
            for shape in self.image_shapes:
                try:
                    self.build(shape)
                except StudyError:
                    continue
                except Exception:
                    raise SkippedError("it cannot be built: see 'builds'") from None
                self._fit.append(shape)
        if not self._fit:
            raise SkippedError("it refuses every image shape: see 'builds'")
        return self._fit

    def features(self, module: nn.Module, images: Tensor) -> Tensor:
        """Compute features [N, D]; skips where they have another form."""
        try:
            features = module(images)
        except Exception:
            raise SkippedError("it cannot be called: see 'features'") from None
        if not isinstance(features, Tensor) or len(features) != len(images):
            raise SkippedError("its features have another form: see 'features'")
        return features


def shown(shape: Shape) -> str:
    """Format a shape for messages."""
    return f"images {list(shape)}"


def _batch(shape: Shape, n: int, seed: int = 0) -> Tensor:
    return image_batch(n, *shape, seed)


def _builds(subject: Subject) -> None:
    refused = []
    for shape in subject.image_shapes:
        try:
            module = subject.build(shape)
        except ViolationError:
            raise
        except StudyError as error:
            refused.append(str(error))
            continue
        except Exception as error:
            raise ViolationError(
                f"raises {type(error).__name__}: {error} (a StudyError refuses images of a size)",
                shown(shape),
            ) from None
        if not isinstance(module, nn.Module):
            raise ViolationError(
                f"expected a torch.nn.Module, got {type(module).__name__}", shown(shape)
            )
    if len(refused) == len(subject.image_shapes):
        raise ViolationError(f"it refuses all of the image shapes: {refused[0]}")


def _features(subject: Subject) -> None:
    for shape in subject.shapes:
        module = subject.module(shape).eval()
        size = getattr(module, "feature_dim", None)
        if not isinstance(size, int) or isinstance(size, bool):
            raise ViolationError(
                f"expected an integer attribute feature_dim, got {size!r}", shown(shape)
            )
        for n in (1, 3, 8):
            example = f"{n} {shown(shape)}"
            try:
                features = module(_batch(shape, n))
            except Exception as error:
                raise ViolationError(f"raises {type(error).__name__}: {error}", example) from None
            if not isinstance(features, Tensor) or features.dtype != torch.float32:
                kind = features.dtype if isinstance(features, Tensor) else type(features).__name__
                raise ViolationError(f"expected features as a float32 tensor, got {kind}", example)
            if tuple(features.shape) != (n, size):
                raise ViolationError(
                    f"feature_dim is {size}, but the features are {list(features.shape)}, "
                    f"expected {[n, size]}",
                    example,
                )
            if not features.isfinite().all():
                raise ViolationError("not all features are finite", example)


def _rows(subject: Subject) -> None:
    for shape in subject.shapes:
        module, images = subject.module(shape).eval(), _batch(shape, 4)
        with torch.no_grad():
            whole = subject.features(module, images)
            if not torch.equal(whole, subject.features(module, images)):
                raise SkippedError("the same images give other features: see 'repeatable'")
            others = images.clone()
            others[1:] = 1 - others[1:]
            again = subject.features(module, others)
        if not torch.allclose(whole[0], again[0], rtol=1e-4, atol=1e-5):
            off = float((whole[0] - again[0]).abs().max())
            raise ViolationError(
                f"in eval mode, the features of image 0 changed by {off:.3g} with the other images "
                "of the batch",
                f"4 {shown(shape)}",
            )


def _repeatable(subject: Subject) -> None:
    for shape in subject.shapes:
        module, images = subject.module(shape).eval(), _batch(shape, 2)
        with torch.no_grad():
            first = subject.features(module, images)
            second = subject.features(module, images)
        if not torch.equal(first, second):
            raise ViolationError(
                "in eval mode, the same images gave other features the second time "
                "(dropout that eval mode does not end?)",
                f"2 {shown(shape)}",
            )


def _seeded(subject: Subject) -> None:
    """Build twice from one seed of torch, with NumPy and `random` in different states."""
    shape = subject.shapes[0]
    modules = []
    for seed in range(2):
        with other_state(seed):
            modules.append(subject.module(shape))
    states = [module.state_dict() for module in modules]
    for name, value in states[0].items():
        if not torch.equal(value, states[1][name]):
            raise ViolationError(
                f"built twice from the same seed of torch's generator, {name!r} differs",
                shown(shape),
            )


def _global_state(subject: Subject) -> None:
    for shape in subject.shapes:
        # As the harness does it: masks of dropout modules come from a stream.
        module = own_dropout(subject.module(shape), np.random.default_rng)
        images = _batch(shape, 4)
        changed = changed_by(partial(subject.features, module, images))
        if changed:
            raise ViolationError(
                f"in train mode, its forward {changed}; dropout belongs into nn.Dropout modules",
                f"4 {shown(shape)}",
            )


def _gradients(subject: Subject) -> None:
    for shape in subject.shapes:
        module = own_dropout(subject.module(shape), np.random.default_rng)
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not trained:
            raise ViolationError("it has no parameter that can be trained", shown(shape))
        weights = torch.Generator().manual_seed(0)
        features = subject.features(module, _batch(shape, 8))
        if not features.requires_grad:
            raise ViolationError("no gradient reaches any parameter", f"8 {shown(shape)}")
        (features * torch.randn(features.shape, generator=weights)).sum().backward()
        without = [name for name, parameter in trained.items() if parameter.grad is None]
        if without:
            raise ViolationError(
                f"no gradient reaches {len(without)} of {len(trained)} parameters, the first is "
                f"{without[0]!r}",
                f"8 {shown(shape)}",
            )


def _state(subject: Subject) -> None:
    for shape in subject.shapes:
        images = _batch(shape, 4)
        trained, other = subject.module(shape, 0), subject.module(shape, 1)
        with torch.no_grad():
            for _ in range(2):  # batch statistics move away from where they began
                subject.features(trained, images)
            for parameter in trained.parameters():
                parameter.mul_(1.25)
        try:
            other.load_state_dict(copy.deepcopy(trained.state_dict()))
        except Exception as error:
            raise ViolationError(
                f"load_state_dict raises {type(error).__name__}: {error}", shown(shape)
            ) from None
        with torch.no_grad():
            left = subject.features(trained.eval(), images)
            right = subject.features(other.eval(), images)
        if not torch.equal(left, right):
            raise ViolationError(
                "with another one's state_dict, it computes other features: part of its state is "
                "neither a parameter nor a buffer",
                f"4 {shown(shape)}",
            )


def _packed(subject: Subject) -> None:
    from augbench.testing._engines import disagreement

    shape = subject.shapes[0]
    for name, check in _PACKED_AFTER.items():
        try:
            check(subject)
        except ViolationError:
            raise SkippedError(f"another promise is broken: see {name!r}") from None
    try:
        message = disagreement(subject.build, shape)
    except AugbenchError as error:
        raise ViolationError(f"{type(error).__name__}: {error}", shown(shape)) from None
    if message:
        raise ViolationError(message, shown(shape))


_PACKED_AFTER = {
    "features": _features,
    "repeatable": _repeatable,
    "seeded": _seeded,
    "global-state": _global_state,
}
"""Checks whose violations would make two runs of a single engine differ."""


BACKBONE_CHECKS: tuple[Check[Subject], ...] = (
    Check("builds", "the factory makes a module for images of several shapes", _builds),
    Check("features", "images become float32 features [N, feature_dim]", _features),
    Check("rows", "in eval mode, an image's features depend on that image alone", _rows),
    Check("repeatable", "in eval mode, the same images give the same features", _repeatable),
    Check("seeded", "the same seed gives the same initial weights", _seeded),
    Check("global-state", "its forward draws from no global random state", _global_state),
    Check("gradients", "gradients reach all its parameters", _gradients),
    Check("state", "its state_dict holds all its state", _state),
    Check("packed", "trained in packs, it gives the numbers of training one by one", _packed),
    *component_checks(after="builds"),
)
