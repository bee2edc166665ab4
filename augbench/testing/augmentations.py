"""Check that an augmentation keeps its contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from augbench.testing._augmentation_behaviour import BEHAVIOUR_CHECKS
from augbench.testing._augmentation_outputs import OUTPUT_CHECKS
from augbench.testing._calls import Subject
from augbench.testing._checks import Check, report
from augbench.testing._targets import target_of
from augbench.testing.outcomes import ConformanceReport

if TYPE_CHECKING:
    from augbench.plugins.registry import Registry

__all__ = ["AUGMENTATION_CHECKS", "check_augmentation"]

AUGMENTATION_CHECKS: tuple[Check[Subject], ...] = (*OUTPUT_CHECKS, *BEHAVIOUR_CHECKS)


def check_augmentation(
    target: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    registry: Registry | None = None,
    seconds: float = 40.0,
) -> ConformanceReport:
    """Check an augmentation: a class, an object, or a spec such as `"mixup:alpha=0.4"`.

    `expected_failures` maps names of checks to the reason why they fail; one that passes is then
    an unexpected pass, which is a failure. `checks` selects some by name; a spec is resolved by
    `registry`, by default one of all installed plugins. The search for failing examples ends
    after `seconds`, however slow the augmentation is. Raises `UsageError` for names that
    mean nothing.
    """
    subject = Subject(
        target_of("augmentation", target, registry), seconds / len(AUGMENTATION_CHECKS)
    )
    return report(
        "augmentation", subject.target.name, AUGMENTATION_CHECKS, subject, expected_failures, checks
    )
