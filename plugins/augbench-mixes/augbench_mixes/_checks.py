"""Checks of constructor arguments: each error names the expected and the given value."""

from __future__ import annotations

import math

__all__ = ["at_least", "fraction", "positive", "span"]


def positive(name: str, value: float) -> None:
    """Refuse anything but a finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above 0, got {value}")


def at_least(name: str, value: int, least: int) -> None:
    """Refuse anything but a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value}")


def fraction(name: str, value: float) -> None:
    """Refuse anything outside [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")


def span(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse anything but 0 < low ≤ high ≤ 1."""
    if not 0 < low <= high <= 1:
        raise ValueError(
            f"expected 0 < {low_name} <= {high_name} <= 1, "
            f"got {low_name}={low} and {high_name}={high}"
        )
