"""The names of the metrics that a study can be read by, the choices of `--metric`.

They stand here because options import nothing; `augbench.protocol.metrics` declares the metrics.
"""

from __future__ import annotations

__all__ = ["METRIC_NAMES"]

METRIC_NAMES = (
    "accuracy",
    "nll",
    "ece",
    "nll_scaled",
    "ece_scaled",
    "balanced_accuracy",
    "macro_f1",
    "shift_accuracy",
)
"""Held to `augbench.protocol.metrics.COMPARABLE` by a test."""
