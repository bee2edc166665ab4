"""The files that `augbench new` writes, one module for each kind of component."""

from __future__ import annotations

from augbench.cli._templates._augmentation import AUGMENTATION
from augbench.cli._templates._backbone import BACKBONE
from augbench.cli._templates._corruption import CORRUPTION
from augbench.cli._templates._dataset import DATASET
from augbench.cli._templates._template import Template
from augbench.plugins.components import Kind

__all__ = ["TEMPLATES"]

TEMPLATES: dict[Kind, Template] = {
    "augmentation": AUGMENTATION,
    "backbone": BACKBONE,
    "dataset": DATASET,
    "corruption": CORRUPTION,
}
