"""Readouts of K cells: frozen backbones, or copies of them, are fitted to D_F and measured.

A new readout is its facts in `augbench.protocol.readouts`, a function in `FITS`, and its plain
counterpart in `augbench.training.reference`, which tests hold it to.
"""

from __future__ import annotations

from augbench.training.readouts.contract import Fit
from augbench.training.readouts.full import finetune_all_weights
from augbench.training.readouts.linear import fit_linear_heads
from augbench.training.readouts.neighbours import fit_neighbours

__all__ = ["FITS"]

FITS: dict[str, Fit] = {
    "linear": fit_linear_heads,
    "knn": fit_neighbours,
    "full": finetune_all_weights,
}
"""The fit of each readout that is fitted to D_F, by its name."""
