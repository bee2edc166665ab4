"""AugBench: when labels are scarce, which augmentation helps, where, and by how much?

The public names are loaded when they are first used (PEP 562): `import augbench` never imports
torch, nor anything else that is slow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from augbench.api import Observer, run
    from augbench.augmentations.contract import Augmentation
    from augbench.backbones.contract import BackboneFactory
    from augbench.datasets.contract import Dataset, DatasetFactory
    from augbench.errors import AugbenchError, StudyWarning, UsageError
    from augbench.forecasting import power
    from augbench.options import Options, Settings
    from augbench.plugins.hookspecs import Register, hookimpl
    from augbench.results import StudyResult

__version__ = "0.1.0"

_HOMES = {
    "Augmentation": "augbench.augmentations.contract",
    "AugbenchError": "augbench.errors",
    "BackboneFactory": "augbench.backbones.contract",
    "Dataset": "augbench.datasets.contract",
    "DatasetFactory": "augbench.datasets.contract",
    "Observer": "augbench.api",
    "Options": "augbench.options",
    "Register": "augbench.plugins.hookspecs",
    "Settings": "augbench.options",
    "StudyResult": "augbench.results",
    "StudyWarning": "augbench.errors",
    "UsageError": "augbench.errors",
    "hookimpl": "augbench.plugins.hookspecs",
    "power": "augbench.forecasting",
    "run": "augbench.api",
}

__all__ = [
    "AugbenchError",
    "Augmentation",
    "BackboneFactory",
    "Dataset",
    "DatasetFactory",
    "Observer",
    "Options",
    "Register",
    "Settings",
    "StudyResult",
    "StudyWarning",
    "UsageError",
    "hookimpl",
    "power",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'augbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
