"""Packing rules: the layer, or function, that serves K cells in the place of one cell's."""

from augbench.packed.rules.registry import (
    FUNCTION_RULES,
    LAYER_RULES,
    UnpackableError,
    function_rule,
    rule,
    stack_into,
)

__all__ = [
    "FUNCTION_RULES",
    "LAYER_RULES",
    "UnpackableError",
    "function_rule",
    "rule",
    "stack_into",
]
