"""Before a study computes anything: what it can find, and how long it takes; no torch."""

from __future__ import annotations

from augbench.forecasting.forecast import Expected, expected
from augbench.forecasting.seeds import Power, WantedDifference, power
from augbench.forecasting.timing import timed

__all__ = ["Expected", "Power", "WantedDifference", "expected", "power", "timed"]
