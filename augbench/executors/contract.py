"""What an executor is given, and what it reports; plain values that travel between processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from augbench.plugins.components import Component
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell

__all__ = ["Event", "Finished", "Job", "Pack", "Packed", "Started", "StepsDone"]

Pack = Sequence[Cell]


@dataclass(frozen=True)
class Job:
    """All that a worker needs besides the cells: it loads plugins and data by itself.

    `datasets` maps content hashes to the components that load them; `engine` is `packed` or
    `reference`; `device` is a torch device. `backbones` are all that the cells train, each with
    the (C, H, W) of its images: they are made once before anything trains, so that one that
    cannot be made is an error of the study, not of each of its cells.
    """

    engine: str
    device: str
    datasets: tuple[tuple[str, Component], ...]
    backbones: tuple[tuple[Component, tuple[int, int, int]], ...] = ()
    data_root: Path | None = None
    plugins: tuple[str, ...] = ()
    test_every: int = 0


@dataclass(frozen=True)
class Started:
    """A worker is ready, on this device (`cpu`, or the GPU's name)."""

    device: str


@dataclass(frozen=True)
class StepsDone:
    """So many more steps are done; a cell counts `Cell.steps` in all."""

    steps: int


@dataclass(frozen=True)
class Packed:
    """How the networks of a pack were trained, and why; `gain` is how much faster a step was."""

    networks: int
    reason: str
    gain: float | None


@dataclass(frozen=True)
class Finished:
    """A cell ended, well or badly."""

    cell: Cell
    result: CellResult


Event = Started | StepsDone | Packed | Finished
