"""Random backbones, and a judge of whether the packed engine gives their numbers.

`python -m fuzzing SEED` (with tests/support on the path) draws the network of a seed, judges it
and, if it is at fault, makes it smaller; `python -m fuzzing 0:500` counts how many networks are
packed, how, and why the others are not; `python -m fuzzing pieces` says so of each piece alone.
"""

from fuzzing import by_hand, odd, on_maps, on_vectors
from fuzzing.drawing import Case, alone, draw
from fuzzing.judging import Verdict, judge, judge_modules, judge_seed, speed_does_not_decide

__all__ = [
    "Case",
    "Verdict",
    "alone",
    "by_hand",
    "draw",
    "judge",
    "judge_modules",
    "judge_seed",
    "odd",
    "on_maps",
    "on_vectors",
    "speed_does_not_decide",
]
