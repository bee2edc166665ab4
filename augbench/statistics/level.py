"""The level of tests."""

from __future__ import annotations

__all__ = ["ALPHA"]

ALPHA = 0.05
"""The probability of any false finding among tests that are corrected together, unless told
otherwise."""
