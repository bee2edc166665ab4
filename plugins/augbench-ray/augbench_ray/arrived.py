"""A plugin for workers alone: data sets that the driver sent, as files of this node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from augbench import Dataset
from augbench.plugins import hookimpl

__all__ = ["arrived", "register_datasets"]


@hookimpl
def register_datasets(register: Callable[[str, Any], None]) -> None:
    """Register the one data set, of which a parameter tells the file."""
    register("arrived", arrived)


def arrived(root: Path | None, *, path: str, download: bool = False) -> Dataset:
    """Images and labels as `augbench_ray.datasets.written` wrote them."""
    with np.load(path) as file:
        return Dataset(
            "arrived",
            file["train_images"],
            file["train_labels"],
            file["test_images"],
            file["test_labels"],
            tuple(str(name) for name in file["classes"]),
        )
