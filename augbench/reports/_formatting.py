"""Numbers as text for tables: rounded for a reader, with a true minus."""

from __future__ import annotations

import math

__all__ = ["capital", "decimals_for", "interval_text", "number_text", "p_text", "signed_text"]

_MINUS = str.maketrans("-", "−")


def number_text(value: float, decimals: int) -> str:
    """A number with that many decimals; a dash where there is none, and no negative zero."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{round(value, decimals) + 0.0:.{decimals}f}".translate(_MINUS)


def signed_text(value: float, decimals: int) -> str:
    """The same with a sign."""
    if not math.isfinite(value):
        return number_text(value, decimals)
    return f"{round(value, decimals) + 0.0:+.{decimals}f}".translate(_MINUS)


def capital(text: str) -> str:
    """The text with a capital in front, and the rest as it is."""
    return f"{text[:1].upper()}{text[1:]}"


def decimals_for(half_width: float) -> int:
    """One decimal, or two where the interval is finer than half a unit."""
    return 2 if half_width < 0.5 else 1


def interval_text(low: float, high: float, decimals: int, *, sign: bool = False) -> str:
    """An interval in words; nothing where there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    write = signed_text if sign else number_text
    return f"{write(low, decimals)} to {write(high, decimals)}"


def p_text(p: float) -> str:
    """A p-value to two digits."""
    if math.isnan(p):
        return "–"
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"
