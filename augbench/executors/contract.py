"""The contract of an executor: its inputs and the events that it reports.

Everything here but the executor itself is a plain value that can be pickled, so that packs can be
trained in another process or on another machine. There, `PackTrainer(job).train(pack, emit)` of
`augbench.executors.worker` does all the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from augbench.plugins.components import Component
from augbench.plugins.printing import Printed
from augbench.protocol.cell_result import CellResult
from augbench.protocol.study import Cell
from augbench.training.notes import Note

__all__ = [
    "Answer",
    "Emit",
    "Errand",
    "Event",
    "Executor",
    "Finished",
    "Job",
    "Pack",
    "Packed",
    "Printed",
    "Started",
    "StepsDone",
]

Pack = Sequence[Cell]
"""Cells that are trained together, as one unit of work."""


@dataclass(frozen=True)
class Errand:
    """Work for a worker that has no pack left: it has loaded torch and data already.

    `serve` names a function as `module:function`, which is called with the `message` and a
    function that emits values; each becomes an `Answer`. What goes wrong leaves answers out, and
    costs no cell.
    """

    serve: str
    message: Any


@dataclass(frozen=True)
class Job:
    """All that a worker needs besides the cells: it loads plugins and data by itself.

    `datasets` maps content hashes to the components that load them; `engine` is `packed` or
    `reference`; `device` is a torch device. `backbones` are all that the cells train, each with
    the (C, H, W) of its images: they are made once before anything trains, so that one that
    cannot be made is an error of the study, not of each of its cells. `cell_timeout` are the
    seconds that a cell may take, by default many times what others took. `kept_backbones` is the
    folder of pretrained backbones, None if none are kept; a worker that has no such folder keeps
    none. `spelling` maps options to the names that the user wrote, for messages. `shift` are the
    corruptions of test images under which cells are measured as well. An executor may leave the
    `errand` undone; only one whose attribute `runs_errands` is true is given one.
    """

    engine: str
    device: str
    datasets: tuple[tuple[str, Component], ...]
    backbones: tuple[tuple[Component, tuple[int, int, int]], ...] = ()
    data_root: Path | None = None
    plugins: tuple[str, ...] = ()
    test_every: int = 0
    cell_timeout: float | None = None
    spelling: tuple[tuple[str, str], ...] = ()
    kept_backbones: Path | None = None
    shift: tuple[Component, ...] = ()
    errand: Errand | None = None


@dataclass(frozen=True)
class Started:
    """A worker is ready, on this device (`cpu`, or the GPU's name)."""

    device: str


@dataclass(frozen=True)
class StepsDone:
    """Progress by a number of `steps`, of equal time; a cell counts `Cell.steps` in all."""

    steps: int


@dataclass(frozen=True)
class Packed:
    """A pack was divided: how its networks are trained; see `augbench.training.notes.Note`."""

    note: Note


@dataclass(frozen=True)
class Finished:
    """A cell ended, well or badly; `together` are the keys of the cells of its pack.

    An executor of other machines tells the `device` and the `environment` of the one that trained
    it, as `Started` and `describe_environment` give them there; by default, they are those of here.
    """

    cell: Cell
    result: CellResult
    together: tuple[str, ...] = ()
    device: str = ""
    environment: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """A `value` that the job's errand has emitted."""

    value: Any


Event = Started | StepsDone | Packed | Finished | Answer | Printed


Emit = Callable[[Event], None]
"""Takes the events as they come, each in the process and the thread that called the executor."""


class Executor(Protocol):
    """A place where packs are trained."""

    @property
    def slots(self) -> int:
        """The number of packs that train at the same time: a study is dealt into packs for it."""
        ...

    def where(self, packs: int) -> str:
        """The place in words, such as `2 workers of one thread`, for a study of `packs` packs."""
        ...

    def run(self, packs: Iterable[Pack], job: Job, emit: Emit) -> None:
        """Train all packs, the first ones first; return when every cell has ended.

        The next pack is taken when there is a place for it, not before: another run may share the
        work. `packs` is used in the thread that called. Every cell ends in exactly one `Finished`
        event: one whose training was lost, with an error. Raises the `AugbenchError` that keeps
        packs from being trained at all. Whatever leaves this method early, an exception of `emit`
        or a `KeyboardInterrupt` included, ends the training.
        """
        ...
