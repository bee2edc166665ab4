"""What becomes of each layer and function of a network when K of it are one."""

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
