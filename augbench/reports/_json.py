"""JSON of results: no NaN, and names as they are."""

from __future__ import annotations

import json
import math
from typing import Any

from augbench.text import encodable

__all__ = ["to_text"]


def to_text(tree: Any) -> str:
    """The JSON of a tree of plain values; what is not finite is null."""
    # The escape of a lone surrogate is JSON's own: it is read back as it was.
    return encodable(json.dumps(_finite(tree), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _finite(value) for name, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node
