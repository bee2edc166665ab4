"""Watch the global random states of `random`, NumPy and torch during a call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from augbench.plugins.isolation import watched

__all__ = ["changed_by", "other_state"]


@contextmanager
def other_state(seed: int) -> Iterator[None]:
    """Run a block with `random` and NumPy in another state; what was before is put back."""
    with watched():
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 -- the global state itself is meant
        yield


def changed_by(action: Callable[[], object]) -> str:
    """Run the action; returns "changed the global random state of NumPy", say, or "".

    The state before is one that nobody's favourite seed gives, so that re-seeding is seen.
    """
    with torch.random.fork_rng(devices=[]), other_state(92_837_111):
        torch.manual_seed(92_837_111)
        with watched() as remarks:
            action()
    changed = [remark for remark in remarks if remark.startswith("changed")]
    return "; ".join(changed).replace(" (restored)", "")
