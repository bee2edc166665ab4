"""The scale that results are on: which direction is better, and the words for differences."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Scale"]


@dataclass(frozen=True)
class Scale:
    """The scale of a metric; by default accuracy, as shares in [0, 1].

    `noun` names the metric in a sentence. A difference is printed times `factor`, in `unit`, with
    `decimals`; `long_unit` is the unit where the metric must be told. `shares` lie in [0, 1].
    `no_multipliers` says why label multipliers make no sense on this scale; empty where they do.
    """

    noun: str = "accuracy"
    unit: str = "points"
    long_unit: str = "accuracy points"
    factor: float = 100
    decimals: int = 1
    lower_is_better: bool = False
    shares: bool = True
    no_multipliers: str = ""

    @property
    def sign(self) -> int:
        """1 where higher is better, −1 where lower is: a difference times it is a gain."""
        return -1 if self.lower_is_better else 1
