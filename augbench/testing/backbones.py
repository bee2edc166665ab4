"""Check that a backbone keeps its contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from augbench.testing._backbone_checks import BACKBONE_CHECKS, Subject
from augbench.testing._checks import report
from augbench.testing._targets import target_of
from augbench.testing.outcomes import ConformanceReport

if TYPE_CHECKING:
    from augbench.plugins.registry import Registry

__all__ = ["BACKBONE_CHECKS", "IMAGE_SHAPES", "check_backbone"]

IMAGE_SHAPES = ((1, 28, 28), (3, 32, 32), (1, 16, 24))
"""(C, H, W) of MNIST and its kin, of CIFAR, and of images that are not square."""


def check_backbone(
    target: Any,
    *,
    image_shapes: Sequence[tuple[int, int, int]] = IMAGE_SHAPES,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    registry: Registry | None = None,
) -> ConformanceReport:
    """Check a backbone: a factory, or a spec such as `"convnet:dropout=0.2"`.

    It is built for every one of `image_shapes`, each (C, H, W), and may refuse some of them with
    `StudyError`, but not all. The other arguments are those of `check_augmentation`.
    """
    subject = Subject(target_of("backbone", target, registry), tuple(image_shapes))
    return report(
        "backbone", subject.target.name, BACKBONE_CHECKS, subject, expected_failures, checks
    )
