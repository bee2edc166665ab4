"""The conformance kit: what the author of a plugin runs, alone or in a test suite.

```python
from augbench.testing import augmentation_conformance, check_augmentation

print(check_augmentation(MyMix))  # a report, one line a check


@augmentation_conformance(MyMix, expected_failures={"rows": "mixes by the batch's mean"})
def test_my_mix_keeps_the_contract():
    ...
```

The decorators need pytest. Strategies for Hypothesis are in `augbench.testing.strategies`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from augbench.testing.augmentations import check_augmentation
    from augbench.testing.backbones import check_backbone
    from augbench.testing.conformance import (
        augmentation_conformance,
        backbone_conformance,
        corruption_conformance,
        dataset_conformance,
    )
    from augbench.testing.corruptions import check_corruption
    from augbench.testing.datasets import check_dataset
    from augbench.testing.outcomes import CheckResult, ConformanceReport, Status
    from augbench.testing.strategies import Case

__all__ = [
    "Case",
    "CheckResult",
    "ConformanceReport",
    "Status",
    "augmentation_conformance",
    "backbone_conformance",
    "check_augmentation",
    "check_backbone",
    "check_corruption",
    "check_dataset",
    "corruption_conformance",
    "dataset_conformance",
]

_HOMES = {
    "Case": "strategies",
    "CheckResult": "outcomes",
    "ConformanceReport": "outcomes",
    "Status": "outcomes",
    "augmentation_conformance": "conformance",
    "backbone_conformance": "conformance",
    "check_augmentation": "augmentations",
    "check_backbone": "backbones",
    "check_corruption": "corruptions",
    "check_dataset": "datasets",
    "corruption_conformance": "conformance",
    "dataset_conformance": "conformance",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
