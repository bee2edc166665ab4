"""Decorators that make each check a test of the author's own pytest suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from augbench.testing._checks import Check, selected
from augbench.testing.outcomes import ConformanceReport

__all__ = [
    "augmentation_conformance",
    "backbone_conformance",
    "corruption_conformance",
    "dataset_conformance",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., None]]


def augmentation_conformance(
    target: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    **options: Any,
) -> Decorator:
    """Make one test of each check of an augmentation; `options` are `check_augmentation`'s.

    ```python
    @augmentation_conformance(MyMix, expected_failures={"channels": "made for grey images"})
    def test_my_mix_keeps_the_contract():
        ...
    ```

    The function gives the tests their name; its body is not run. An expected failure is reported
    as xfail; one that passes fails. Selecting no check raises `UsageError`.
    """
    from augbench.testing.augmentations import AUGMENTATION_CHECKS, check_augmentation

    return _decorator(
        AUGMENTATION_CHECKS,
        partial(check_augmentation, target, **options),
        expected_failures,
        checks,
    )


def backbone_conformance(
    target: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    **options: Any,
) -> Decorator:
    """Make one test of each check of a backbone; `options` are those of `check_backbone`."""
    from augbench.testing.backbones import BACKBONE_CHECKS, check_backbone

    return _decorator(
        BACKBONE_CHECKS, partial(check_backbone, target, **options), expected_failures, checks
    )


def dataset_conformance(
    target: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    **options: Any,
) -> Decorator:
    """Make one test of each check of a data set; `options` are those of `check_dataset`."""
    from augbench.testing.datasets import DATASET_CHECKS, check_dataset

    return _decorator(
        DATASET_CHECKS, partial(check_dataset, target, **options), expected_failures, checks
    )


def corruption_conformance(
    target: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    **options: Any,
) -> Decorator:
    """Make one test of each check of a corruption; `options` are those of `check_corruption`."""
    from augbench.testing.corruptions import CORRUPTION_CHECKS, check_corruption

    return _decorator(
        CORRUPTION_CHECKS, partial(check_corruption, target, **options), expected_failures, checks
    )


def _decorator(
    all_checks: Sequence[Check[Any]],
    check: Callable[..., ConformanceReport],
    expected_failures: Mapping[str, str] | None,
    only: Iterable[str] | None,
) -> Decorator:
    import pytest

    expected = dict(expected_failures or {})
    names = [one.name for one in selected(all_checks, only, expected)]

    @cache
    def result_of(name: str) -> ConformanceReport:
        reasons = {name: expected[name]} if name in expected else {}
        return check(checks=[name], expected_failures=reasons)

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        @pytest.mark.parametrize("check", names)
        def test(check: str) -> None:
            (result,) = result_of(check).results
            if result.status == "expected failure":
                pytest.xfail(f"{result.reason} ({result.message})")
            if result.status == "skipped":
                pytest.skip(result.message)
            if not result.ok:
                pytest.fail(str(result), pytrace=False)

        for name in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(test, name, getattr(function, name))
        return test

    return decorate
