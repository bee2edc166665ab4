"""Check that a data set keeps its contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augbench.testing._checks import report
from augbench.testing._dataset_checks import DATASET_CHECKS, Subject
from augbench.testing._targets import target_of
from augbench.testing.outcomes import ConformanceReport

if TYPE_CHECKING:
    from augbench.plugins.registry import Registry

__all__ = ["DATASET_CHECKS", "check_dataset"]


def check_dataset(
    target: Any,
    *,
    root: Path | str | None = None,
    download: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    checks: Iterable[str] | None = None,
    registry: Registry | None = None,
) -> ConformanceReport:
    """Check a data set: a factory, or a spec such as `"glyph-digits"`.

    `root` and `download` are passed to the factory. The other arguments are those of
    `check_augmentation`.
    """
    folder = None if root is None else Path(root)
    subject = Subject(target_of("dataset", target, registry), folder, download)
    return report(
        "data set", subject.target.name, DATASET_CHECKS, subject, expected_failures, checks
    )
