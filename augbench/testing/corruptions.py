"""Check that a corruption keeps its contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from augbench.errors import UsageError
from augbench.testing._checks import report
from augbench.testing._corruption_calls import Subject
from augbench.testing._corruption_checks import CORRUPTION_CHECKS
from augbench.testing._targets import target_of
from augbench.testing.outcomes import ConformanceReport

if TYPE_CHECKING:
    from augbench.plugins.registry import Registry

__all__ = ["CORRUPTION_CHECKS", "check_corruption"]


def check_corruption(
    target: str | Callable[..., Any],
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    registry: Registry | None = None,
    seconds: float = 40.0,
) -> ConformanceReport:
    """Check a corruption at all strengths: a class, or a spec such as `"occlusion:fill=0"`.

    The other arguments are those of `check_augmentation`. Raises `UsageError` for an object in the
    place of its class.
    """
    if not isinstance(target, (str, type)) and hasattr(target, "strength"):
        raise UsageError(
            f"expected a corruption's class or a spec, got a {type(target).__name__} that has its "
            "strength already: all three are checked"
        )
    found = target_of("corruption", target, registry, {"strength": 2})
    text = target if isinstance(target, str) else found.spec
    subject = Subject(found, text, seconds / len(CORRUPTION_CHECKS))
    return report("corruption", found.name, CORRUPTION_CHECKS, subject, expected_failures, checks)
