"""K networks of one architecture as one: their numbers, in a fraction of the time.

`choose` looks for a way to pack a network, and proves it before it is used; `README.md` beside
this file explains how that works. This package knows nothing of the rest of AugBench.
"""

from augbench.packed.choice import Choice, Packed, choose
from augbench.packed.dropout import own_dropout
from augbench.packed.frozen import same_features
from augbench.packed.heads import Heads
from augbench.packed.ops import side_by_side
from augbench.packed.replay import Replayed
from augbench.packed.rules import UnpackableError, function_rule, rule, stack_into

__all__ = [
    "Choice",
    "Heads",
    "Packed",
    "Replayed",
    "UnpackableError",
    "choose",
    "function_rule",
    "own_dropout",
    "rule",
    "same_features",
    "side_by_side",
    "stack_into",
]
