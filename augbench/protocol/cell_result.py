"""The result of a cell: plain values, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from augbench.text import shown

__all__ = ["CellResult", "Failure", "TrainingCurve"]

Failure = Literal["", "error", "crashed", "timed out"]
"""How a cell failed: with an error, with the end of the process that trained it, or for its time.

Only an error is tried again by the next run: what ended a process, or took for ever, does so again.
"""


@dataclass(frozen=True)
class TrainingCurve:
    """One training: means over windows of steps, and test measurements where they were asked for.

    `loss` and `accuracy` are means over the steps up to and including `step`, since the entry
    before. Under soft labels, an image counts as right if the prediction is the class of the
    largest weight.
    """

    step: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    accuracy: tuple[float, ...] = ()
    test_step: tuple[int, ...] = ()
    test_loss: tuple[float, ...] = ()
    test_accuracy: tuple[float, ...] = ()


@dataclass(frozen=True)
class CellResult:
    """The outcome of one cell.

    `metrics` maps the names of `augbench.protocol.metrics` to numbers; those after temperature
    scaling are absent where no image was left to fit it on. `correct` packs one bit per test
    image; `predicted` holds the predicted class of each (see `augbench.labels`), and is empty in
    results from before these were kept. `seconds` is the cell's share of the time. A failed cell
    has an `error`, one line, and a `traceback` where one was raised; `failure` tells its kind.
    """

    key: str
    metrics: dict[str, float] = field(default_factory=dict)
    curves: Mapping[str, TrainingCurve] = field(default_factory=dict)
    correct: bytes = b""
    seconds: float = 0.0
    engine: str = ""
    error: str | None = None
    traceback: str | None = None
    lost: Failure = ""
    predicted: bytes = b""

    def __repr__(self) -> str:
        known = (name for name in ("accuracy", "nll") if name in self.metrics)
        told = ", ".join(f"{name} {self.metrics[name]:.4f}" for name in known)
        if not self.ok:
            told = f"failed: {shown(self.error)}"
        return f"<CellResult {self.key[:8]}: {told or 'no metrics'}>"

    @property
    def failure(self) -> Failure:
        """The kind of failure; "" for a cell that was computed."""
        return self.lost or ("error" if self.error is not None else "")

    @property
    def ok(self) -> bool:
        """True if the cell was computed without an error."""
        return self.error is None
